/** Completeness of what Envoys report, against their own counters; see `analyzer/ingest/completeness.ts`. */
import { type Completeness, type CompletenessReport, createCompleteness } from '../ingest/completeness.ts';
import { fetchEnvoyCounters } from '../ingest/envoy-counters.ts';
import type { Clock } from '@picket/runtime/clock.ts';

export interface CompletenessWatch {
  seen: Completeness['seen'];
  report(): CompletenessReport[];
  /** Least ratio of all connection managers whose counters are known; undefined while none is. */
  ratio(): number | undefined;
  close(): void;
}

const pollMs = 5_000;

/** @param envoys admin URL and node id of the Envoys to ask */
export function watchCompleteness(
  envoys: readonly { admin: string; node: () => string | undefined }[],
  clock: Clock,
): CompletenessWatch {
  const completeness = createCompleteness();
  const stopping = new AbortController();
  let latest: CompletenessReport[] = [];
  const poll = async (): Promise<void> => {
    for (const envoy of envoys) {
      const node = envoy.node();
      if (node === undefined) continue;
      try {
        const counters = await fetchEnvoyCounters(
          envoy.admin,
          fetch,
          AbortSignal.any([stopping.signal, AbortSignal.timeout(pollMs)]),
        );
        const atMs = clock.now();
        for (const [prefix, completed] of counters.completed)
          completeness.sample({ node, prefix }, { completed, uptimeS: counters.uptimeS, atMs });
      } catch {
        // No answer, no number: the report says Unknown.
      }
    }
    latest = completeness.report(clock.now());
  };
  const timer = setInterval(() => void poll(), pollMs);
  void poll();
  return {
    seen: (manager, at) => completeness.seen(manager, at),
    report: () => latest,
    ratio() {
      const known = latest.filter((r) => r.status === 'Known');
      return known.length === 0 ? undefined : Math.min(...known.map((r) => r.ratio));
    },
    close() {
      clearInterval(timer);
      stopping.abort();
    },
  };
}
