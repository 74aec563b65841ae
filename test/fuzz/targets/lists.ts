/** Lists and answers that Picket fetches: reputation lists, Envoy's counters. Unusable ones are told, never thrown at random. */
import { parseEnvoyCounters } from '@picket/analyzer/ingest/envoy-counters.ts';
import type { FeedKind } from '@picket/crds/gen/types.ts';
import { parseReputationList, supportedFormats } from '@picket/operator/compile/reputation-list.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

const kinds: readonly FeedKind[] = ['Address', 'ASN', 'UserAgent', 'TokenId'];

export function listsTarget(): FuzzTarget {
  return {
    seeds: [
      '203.0.113.0/24\n2001:db8::/32 # a network\n; comment\n198.51.100.7\n',
      'AS64496\n64497\n',
      '"curl/8, with ""quotes""",2024-01-01\ncurl/7,x\n',
      '["203.0.113.1", {"ip":"203.0.113.2"}, {"asn":64496}, 7, null]',
      '{"stats":[{"name":"server.uptime","value":12},{"name":"http.ingress.downstream_rq_completed","value":7}]}',
    ].map((text) => Buffer.from(text)),
    dictionary: [
      '/',
      '/33',
      '/129',
      ':',
      '::',
      '.',
      '"',
      '""',
      ',',
      '\n',
      '#',
      '[',
      ']',
      '{',
      '}',
      'null',
      '"value":',
      '"ip":',
      'AS',
      '1e9',
      '%eth0',
      '__proto__',
    ],
    check(input) {
      const text = input.toString('utf8');
      for (const format of supportedFormats) {
        const kind = kinds[input.length % kinds.length] as FeedKind;
        const list = parseReputationList(text, format, kind);
        if (typeof list === 'string') must(list.length > 0, 'no sentence says what is wrong');
        else {
          const kept = list.cidrs.length + list.asns.length + list.userAgents.length + list.tokenIds.length;
          must(kept === list.entries, `${list.entries} entries, ${kept} kept`);
        }
      }
      let counters: ReturnType<typeof parseEnvoyCounters>;
      try {
        counters = parseEnvoyCounters(text);
      } catch {
        return;
      }
      must(Number.isFinite(counters.uptimeS), `uptime is ${counters.uptimeS}`);
    },
  };
}
