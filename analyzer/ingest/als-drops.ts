import type { DropReason, Ledger } from '@picket/runtime/ledger.ts';
import type { AlsCounts } from './als-decoder.ts';

const reasons = {
  upstream: 'not_downstream',
  tcp: 'not_http',
  malformed: 'malformed',
  truncated: 'truncated',
  missingProperties: 'missing_properties',
  tooLarge: 'too_large',
} as const satisfies Record<Exclude<keyof AlsCounts, 'finished' | 'periodic'>, DropReason>;

/** Enters into the ledger, stage `decode`, what of a message was neither about a finished request nor about one in flight. */
export function countDrops(ledger: Ledger, counts: AlsCounts): void {
  for (const kind of Object.keys(reasons) as (keyof typeof reasons)[]) {
    if (counts[kind] > 0) ledger.dropped('decode', reasons[kind], counts[kind]);
  }
}
