/** What the demo prints: lines that stay, and on a terminal one line of live figures that is rewritten. */
import { styleText } from 'node:util';

export type Tone = 'plain' | 'good' | 'bad' | 'quiet' | 'title';

export interface Screen {
  line(text?: string, tone?: Tone): void;
  /** Figures that change; on anything but a terminal they become a line every few seconds. */
  figures(text: string): void;
  /** Takes the live line away. */
  settle(): void;
}

const styles = { plain: 'reset', good: 'green', bad: 'red', quiet: 'gray', title: 'bold' } as const;

/** Milliseconds between two lines of figures when the output is a file or a pipe. */
const plainIntervalMs = 10_000;

export function createScreen(out: NodeJS.WriteStream, elapsed: () => number): Screen {
  const live = out.isTTY === true;
  let shown = false;
  let lastPlainAt = Number.NEGATIVE_INFINITY;
  const settle = () => {
    if (shown) out.write('\r\x1b[2K');
    shown = false;
  };
  return {
    settle,
    line(text = '', tone = 'plain') {
      settle();
      out.write(`${live && tone !== 'plain' ? styleText(styles[tone], text, { stream: out }) : text}\n`);
    },
    figures(text) {
      if (live) {
        out.write(`\r\x1b[2K${text.slice(0, Math.max(20, (out.columns ?? 100) - 1))}`);
        shown = true;
      } else if (elapsed() - lastPlainAt >= plainIntervalMs) {
        lastPlainAt = elapsed();
        out.write(`${text}\n`);
      }
    },
  };
}
