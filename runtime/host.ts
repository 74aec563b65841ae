/** What the commands need of the process they run in; the only file beside `main.ts` that touches it. */
export interface Host {
  out(text: string): Promise<void>;
  err(text: string): void;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** 0 ≤ x < 1; spreads retries, decides nothing. */
  random(): number;
  /** Columns of the terminal; 80 where there is none. */
  columns: number;
  /** Standard output is a terminal and NO_COLOR is not set. */
  colour: boolean;
  /** Calls back at SIGINT and SIGTERM; a second signal ends the process at once. Returns how to stop listening. */
  onStop(stop: (signal: NodeJS.Signals) => void): () => void;
  setExitCode(code: number): void;
}

export function processHost(): Host {
  const { stdout, stderr } = process;
  // A reader that has seen enough (`| head`) is no failure, whoever writes: commander prints its help by itself.
  const isGone = (error: NodeJS.ErrnoException): boolean => error.code === 'EPIPE';
  for (const stream of [stdout, stderr])
    stream.on('error', (error) => {
      if (!isGone(error)) throw error;
    });
  return {
    out: (text) =>
      new Promise((resolve, reject) => {
        stdout.write(text, (error) => {
          if (!error || isGone(error)) resolve();
          else reject(error);
        });
      }),
    err: (text) => void stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    random: () => Math.random(),
    columns: stdout.columns || 80,
    colour: stdout.isTTY === true && !process.env['NO_COLOR'],
    onStop(stop) {
      let stopping = false;
      const handle = (signal: NodeJS.Signals): void => {
        if (stopping) process.exit(130);
        stopping = true;
        stop(signal);
      };
      process.on('SIGINT', handle);
      process.on('SIGTERM', handle);
      return () => {
        process.off('SIGINT', handle);
        process.off('SIGTERM', handle);
      };
    },
    setExitCode(code) {
      process.exitCode = code;
    },
  };
}
