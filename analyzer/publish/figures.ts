/** Whether a figure moved by a tenth, came or went; ratios are measured from the end that is nearer: 0.999 is not 0.99. */
export function haveMoved(before: unknown, now: unknown): boolean {
  if (typeof before === 'number' && typeof now === 'number') {
    const [low, high] = [Math.min(before, now), Math.max(before, now)];
    const scale = low >= 0 && high <= 1 ? Math.min(high, 1 - low) : Math.max(-low, high);
    return high - low >= scale / 10 && high !== low;
  }
  if (isObject(before) && isObject(now)) {
    const names = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...names].some((name) => haveMoved(before[name], now[name]));
  }
  return before !== now;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
