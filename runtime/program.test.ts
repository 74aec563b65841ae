import { expect, it } from 'vitest';
import { integerBetween, parseText } from './config.ts';
import type { Host } from './host.ts';
import { runProgram } from './program.ts';

const settings = {
  url: { flag: 'url', env: 'PICKET_URL', help: 'where it is', parse: parseText },
  count: { flag: 'count', help: 'how many', parse: integerBetween(1, 9), default: '3' },
} as const;

interface Said {
  out: string;
  err: string;
  code: number;
}

async function run(
  args: string[],
  env: Record<string, string> = {},
  act: (values: { url: string; count: number }, signal: AbortSignal) => Promise<void> = async () => {},
): Promise<Said> {
  const said: Said = { out: '', err: '', code: 0 };
  let stop: (signal: NodeJS.Signals) => void = () => {};
  const host: Host = {
    out: async (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    env,
    cwd: '/',
    random: () => 0.5,
    columns: 80,
    colour: false,
    onStop(listener) {
      stop = listener;
      return () => {};
    },
    setExitCode: (code) => void (said.code = code),
  };
  const program = { name: 'picket-test', version: '1.2.3', description: 'Tests.', settings };
  await runProgram(
    {
      ...program,
      run(values, _, signal) {
        const done = act(values, signal);
        stop('SIGTERM');
        return done;
      },
    },
    host,
    args,
  );
  return said;
}

it('takes a flag before its variable before the default', async () => {
  const seen: unknown[] = [];
  const act = async (values: unknown) => void seen.push(values);
  await run(['--url', 'flag'], { PICKET_URL: 'variable' }, act);
  await run(['--count', '5'], { PICKET_URL: 'variable' }, act);
  expect(seen).toEqual([
    { url: 'flag', count: 3 },
    { url: 'variable', count: 5 },
  ]);
});

it('tells every wrong setting at once', async () => {
  const { err, code } = await run(['--count', 'many']);
  expect(err).toBe(
    'picket-test: --url or PICKET_URL is missing: where it is\n--count "many": must be a whole number from 1 to 9\n',
  );
  expect(code).toBe(3);
});

it('names an unknown flag and says where flags are listed', async () => {
  const { err, code } = await run(['--uri', 'x']);
  expect(err).toContain("Unknown option '--uri'");
  expect(err).toContain('picket-test --help lists the flags');
  expect(code).toBe(2);
});

it('lists flags, variables and defaults', async () => {
  const { out } = await run(['--help']);
  expect(out).toContain('--url    where it is (required; PICKET_URL)');
  expect(out).toContain('--count  how many (default 3)');
  expect((await run(['--version'])).out).toBe('1.2.3\n');
});

it('aborts the work with the first signal', async () => {
  const { code } = await run(['--url', 'x'], {}, async (_, signal) => {
    await Promise.resolve();
    expect(signal.aborted).toBe(true);
  });
  expect(code).toBe(0);
});
