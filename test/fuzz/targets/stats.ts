/** `StreamMetricsMessage`: whatever the bytes, nothing is thrown, and what is found are numbers of named managers. */
import { readStatsMessage } from '@picket/analyzer/ingest/stats-message.ts';
import { createWireReader } from '@picket/analyzer/ingest/wire-reader.ts';
import { statsMessage } from '../../support/stats-message.ts';
import { type FuzzTarget, must } from '../fuzz.ts';
import { wirePieces } from './als.ts';

export function statsTarget(): FuzzTarget {
  const reader = createWireReader();
  return {
    seeds: [
      statsMessage(
        [
          ['http.ingress.downstream_rq_completed', 'counter', 81],
          ['http.admin.downstream_rq_completed', 'counter', 3],
          ['cluster.shop.upstream_rq_200', 'counter', 80],
          ['server.uptime', 'gauge', 12],
        ],
        'envoy-0',
      ),
      statsMessage([['server.uptime', 'gauge', 0]]),
      statsMessage([]),
    ],
    dictionary: [...wirePieces, '\x09', 'server.uptime', 'http.', '.downstream_rq_completed'],
    check(input) {
      const { counters } = readStatsMessage(reader, input);
      for (const [prefix, completed] of counters?.completed ?? []) {
        must(prefix !== '' && prefix !== 'admin', `a connection manager is called "${prefix}"`);
        must(Number.isFinite(completed), `${completed} requests were completed`);
      }
      must(counters === undefined || Number.isFinite(counters.uptimeS), `it is up for ${counters?.uptimeS} s`);
    },
  };
}
