/** Numbers and times as reports show them. UTC throughout: a log's own zone is not always known. */
const grouped = new Intl.NumberFormat('en-US');

export function countText(v: number): string {
  return grouped.format(Math.round(v));
}

export function bytesText(v: number | null): string {
  if (v === null) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = v;
  let i = 0;
  while (value >= 999.5 && i < units.length - 1) {
    value /= 1000;
    i++;
  }
  return `${i === 0 || value >= 99.5 ? Math.round(value) : Number(value.toPrecision(2))} ${units[i]}`;
}

export function msText(v: number | null): string {
  if (v === null) return '–';
  if (v >= 60_000) return `${(v / 60_000).toFixed(1)} min`;
  if (v >= 1000) return `${(v / 1000).toFixed(v >= 10_000 ? 0 : 1)} s`;
  return `${v >= 10 ? Math.round(v) : Number(v.toPrecision(2))} ms`;
}

/** Small shares keep a digit, so that 0.04 % does not read as none. */
export function shareText(v: number | null): string {
  if (v === null) return '–';
  const percent = v * 100;
  if (percent === 0) return '0 %';
  if (percent < 0.1) return '<0.1 %';
  return `${percent >= 10 ? Math.round(percent) : percent.toFixed(1)} %`;
}

/** Writes rates in the unit that suits the highest, so that a column of them compares. */
export function rateFormat(highestPerSecond: number): (perSecond: number) => string {
  const units: [string, number][] = [
    ['s', 1],
    ['min', 60],
    ['h', 3600],
    ['day', 86_400],
  ];
  const [unit, seconds] = units.find(([, s]) => highestPerSecond * s >= 1) ?? ['day', 86_400];
  return (perSecond) => {
    const rate = perSecond * seconds;
    const text =
      rate >= 100 ? countText(rate) : rate >= 0.01 || rate === 0 ? String(Number(rate.toPrecision(2))) : '<0.01';
    return `${text}/${unit}`;
  };
}

export function durationText(ms: number): string {
  const s = ms / 1000;
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Number((s / 3600).toPrecision(2))} h`;
  return `${Math.round(s / 86_400)} days`;
}

/** `2026-03-01 12:00:07`, UTC. */
export function timeText(at: string): string {
  return at.slice(0, 19).replace('T', ' ');
}

/** The second time without what both share: `2026-03-01 12:00:07 – 12:05:10`. */
export function spanText(since: string, until: string): string {
  const [a, b] = [timeText(since), timeText(until)];
  if (a === b) return a;
  return `${a} – ${a.slice(0, 10) === b.slice(0, 10) ? b.slice(11) : b}`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${countText(n)} ${n === 1 ? one : many}`;
}
