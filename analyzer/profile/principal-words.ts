/** Layout of a principal in its table. */
import { DISTINCT_WORDS } from './distinct.ts';
import { SLAB_HEADER } from './slab.ts';

/** Word offsets; `…At` and `requests` are f64, `errors` and `bytes` f32. */
export const P = {
  firstAt: SLAB_HEADER,
  lastAt: SLAB_HEADER + 2,
  requests: SLAB_HEADER + 4,
  /** Event time of the last strong finding about it; 0 = none. */
  blamedAt: SLAB_HEADER + 6,
  bytes: SLAB_HEADER + 8,
  errors: SLAB_HEADER + 10,
  api: SLAB_HEADER + 11,
  code: SLAB_HEADER + 12,
  /** Bit per UTC hour of day in which it was seen. */
  hours: SLAB_HEADER + 13,
  /** Distinct principals with a proved identity that were served through this address, this week and the week before. */
  sharers: SLAB_HEADER + 14,
  operations: SLAB_HEADER + 14 + DISTINCT_WORDS,
  networks: SLAB_HEADER + 14 + 2 * DISTINCT_WORDS,
  devices: SLAB_HEADER + 14 + 3 * DISTINCT_WORDS,
  sharersBefore: SLAB_HEADER + 14 + 4 * DISTINCT_WORDS,
  /** f64: when this week of sharers began; 0 = nobody yet. */
  sharersAt: SLAB_HEADER + 14 + 5 * DISTINCT_WORDS,
} as const;

/** Words of one principal. */
export const PRINCIPAL_WORDS = (SLAB_HEADER + 14 + 5 * DISTINCT_WORDS + 2 + 1) & ~1;
