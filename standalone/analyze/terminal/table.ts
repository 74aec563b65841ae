/** Columns that fit: numbers keep their width, the one stretching column is cut. */
import { fit, pad, width } from '../text.ts';

export interface Column {
  title: string;
  align?: 'right';
  /** Takes what the others leave; one per table. */
  stretch?: boolean;
  /** Left out, least important (highest) first, when the rest would leave the stretching column under 20. */
  optional?: number;
}

const gap = 2;
const minStretch = 20;

/** Lines of a table within `columns`, indented by two; the header is painted by `head`. Cells carry no colours. */
export function table(
  columns: number,
  layout: readonly Column[],
  rows: readonly (readonly string[])[],
  head: (line: string) => string,
): string[] {
  const widths = layout.map((c, i) => Math.max(width(c.title), ...rows.map((r) => width(r[i] ?? ''))));
  const shown = layout.map((_, i) => i);
  const stretch = layout.findIndex((c) => c.stretch);
  const room = () => columns - 2 - shown.reduce((sum, i) => sum + gap + (i === stretch ? 0 : (widths[i] ?? 0)), -gap);
  while (room() < Math.min(minStretch, widths[stretch] ?? minStretch)) {
    const least = shown.reduce<number | undefined>((worst, i) => {
      const rank = layout[i]?.optional;
      return rank !== undefined && rank > (layout[worst ?? -1]?.optional ?? 0) ? i : worst;
    }, undefined);
    if (least === undefined) break;
    shown.splice(shown.indexOf(least), 1);
  }
  if (stretch >= 0) widths[stretch] = Math.max(1, Math.min(widths[stretch] ?? 0, room()));
  const line = (cells: readonly string[]) =>
    `  ${shown
      .map((i) =>
        pad(fit(cells[i] ?? '', widths[i] ?? 0), widths[i] ?? 0, layout[i]?.align === 'right' ? 'left' : 'right'),
      )
      .join(' '.repeat(gap))}`.trimEnd();
  return [head(line(layout.map((c) => c.title))), ...rows.map(line)];
}

const bars = '▁▂▃▄▅▆▇█';

/** One character per value, the highest full; zero is a space. Longer series are summed down to `columns`. */
export function sparkline(values: readonly number[], columns: number): string {
  const per = Math.max(1, Math.ceil(values.length / columns));
  const sums: number[] = [];
  for (let i = 0; i < values.length; i += per) sums.push(values.slice(i, i + per).reduce((a, b) => a + b, 0));
  const top = Math.max(...sums, 0);
  return sums
    .map((v) => (v <= 0 ? ' ' : (bars[Math.min(bars.length - 1, Math.floor((v / top) * bars.length))] ?? '')))
    .join('');
}
