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
      const shown = live ? wrap(text, out.columns ?? 100) : text;
      out.write(`${live && tone !== 'plain' ? styleText(styles[tone], shown, { stream: out }) : shown}\n`);
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

/** Breaks between words; what follows a label stays under the text behind it. */
export function wrap(text: string, columns: number): string {
  const indent = ' '.repeat(/^ {2}\S+ {2,}(?=\S)|^ {2,}/.exec(text)?.[0].length ?? 0);
  const lines: string[] = [];
  let rest = text;
  while (rest.length > columns) {
    const at = rest.lastIndexOf(' ', columns);
    if (at <= indent.length) break;
    lines.push(rest.slice(0, at));
    rest = indent + rest.slice(at + 1);
  }
  return [...lines, rest].join('\n');
}
