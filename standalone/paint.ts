/** Colours, only where the terminal takes them. */
import colors from 'picocolors';
import type { Paint } from './risk/explain.ts';

export function paintFor(host: { colour: boolean }): Paint {
  const c = colors.createColors(host.colour);
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
  };
}
