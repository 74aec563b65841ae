/** Which request headers came: a trait that a campaign's tool shares and a person's browser does not choose. */
import type { AccessRecord } from '../ingest/access-record.ts';
import { shapeHeaders } from '@picket/proto/access-log.ts';

const bits = new Map<string, number>(shapeHeaders.map((name, i) => [name, 1 << i]));
const refererBit = bits.get('referer') as number;

export interface HeaderShapeReader {
  /** Low 16 bits present, high 16 bits reported on by the feed. */
  read(record: AccessRecord): number;
}

export function createHeaderShapeReader(): HeaderShapeReader {
  // Feeds hand out one set per source, not per entry.
  const masks = new WeakMap<ReadonlySet<string>, number>();
  let lastSet: ReadonlySet<string> | undefined;
  let lastMask = 0;

  function reported(names: ReadonlySet<string>): number {
    if (names === lastSet) return lastMask;
    let mask = masks.get(names);
    if (mask === undefined) {
      mask = 0;
      for (const [name, bit] of bits) if (names.has(name)) mask |= bit;
      masks.set(names, mask);
    }
    lastSet = names;
    lastMask = mask;
    return mask;
  }

  return {
    read(record) {
      const mask = reported(record.loggedRequestHeaders);
      let present = record.referer !== '' ? refererBit : 0;
      const headers = record.requestHeaders;
      if (headers.size <= 16) {
        for (const name of headers.keys()) present |= bits.get(name) ?? 0;
      } else {
        for (const [name, bit] of bits) if (headers.has(name)) present |= bit;
      }
      // What came is reported on, whatever the feed says of itself.
      return (((mask | present) << 16) | present) >>> 0;
    },
  };
}
