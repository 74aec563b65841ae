/** Seeded chance for the traffic model: the same seed gives the same day. */

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** In [low, high). */
  between(low: number, high: number): number;
  /** Whole number in [low, high]. */
  whole(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Items with weights; weights need not add up to one. */
  weighted<T>(list: readonly (readonly [T, number])[]): T;
  /** Log-normal with this median and this spread (standard deviation of the logarithm): think times, sizes, habits. */
  lognormal(median: number, spread: number): number;
  exponential(mean: number): number;
  /** `count` different items, in random order; all of them when there are fewer. */
  sample<T>(list: readonly T[], count: number): T[];
  hex(digits: number): string;
  /** An independent stream: what one actor draws never shifts what another gets. */
  fork(name: string): Random;
}

export function createRandom(seed: number | string): Random {
  let [a, b, c, d] = seedWords(String(seed));
  const next = (): number => {
    // sfc32
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return (t >>> 0) / 4_294_967_296;
  };
  for (let i = 0; i < 12; i++) next();
  const random: Random = {
    next,
    between: (low, high) => low + (high - low) * next(),
    whole: (low, high) => low + Math.floor((high - low + 1) * next()),
    chance: (probability) => next() < probability,
    pick(list) {
      if (list.length === 0) throw new Error('nothing to pick from');
      return list[Math.floor(next() * list.length)] as (typeof list)[number];
    },
    weighted(list) {
      let left = next() * list.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [item, weight] of list) {
        left -= weight;
        if (left < 0) return item;
      }
      return (list[list.length - 1] as (typeof list)[number])[0];
    },
    lognormal: (median, spread) => median * Math.exp(spread * normal(next)),
    exponential: (mean) => -mean * Math.log(1 - next()),
    sample(list, count) {
      const rest = [...list];
      const taken: (typeof rest)[number][] = [];
      while (taken.length < count && rest.length > 0) {
        const i = Math.floor(next() * rest.length);
        taken.push(rest[i] as (typeof rest)[number]);
        rest[i] = rest[rest.length - 1] as (typeof rest)[number];
        rest.pop();
      }
      return taken;
    },
    hex: (digits) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join(''),
    fork: (name) => createRandom(`${seed}/${name}`),
  };
  return random;
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Four words from a text (FNV-1a with different starts). */
function seedWords(text: string): [number, number, number, number] {
  const word = (start: number): number => {
    let hash = start;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return hash;
  };
  return [word(0x811c9dc5), word(0x9e3779b9), word(0x7f4a7c15), word(0x2545f491)];
}
