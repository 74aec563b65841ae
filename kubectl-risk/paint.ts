/** Colours, only where the terminal takes them. */
import colors from 'picocolors';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  level(level: string, text: string): string;
  /** By how well something is. */
  ok(text: string): string;
  warn(text: string): string;
  fail(text: string): string;
}

export function paintFor(colour: boolean): Paint {
  const c = colors.createColors(colour);
  return {
    bold: c.bold,
    dim: c.dim,
    level: (level, text) =>
      level === 'Critical'
        ? c.red(text)
        : level === 'High'
          ? c.magenta(text)
          : level === 'Elevated'
            ? c.yellow(text)
            : text,
    ok: c.green,
    warn: c.yellow,
    fail: c.red,
  };
}
