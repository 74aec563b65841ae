/** Width and colours of a terminal page. */
import { createColors } from 'picocolors';
import type { LevelName } from '../result.ts';

export interface Page {
  /** Usable columns. */
  columns: number;
  paint: Paint;
}

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  level(level: LevelName, text: string): string;
}

export const minColumns = 60;
export const maxColumns = 140;

/** `colour` is decided by the caller from TTY and NO_COLOR. */
export function createPage(columns: number, colour: boolean): Page {
  const c = createColors(colour);
  const byLevel: Record<LevelName, (text: string) => string> = {
    None: c.dim,
    Low: c.cyan,
    Elevated: c.yellow,
    High: c.red,
    Critical: (text) => c.bold(c.red(text)),
  };
  return {
    columns: Math.max(minColumns, Math.min(maxColumns, Number.isFinite(columns) ? columns : 80)),
    paint: { bold: c.bold, dim: c.dim, good: c.green, level: (level, text) => byLevel[level](text) },
  };
}
