/** What an analyzer counts in passing, and what is read from it at a scrape. */
import { Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Clock } from '@picket/runtime/clock.ts';
import type { LabelsOf, Metrics, Sample } from '@picket/runtime/metrics.ts';
import type { Analyzer, AnalyzerMetrics } from '../analyzer.ts';
import type { Usage } from '../engine/partition.ts';
import type { PublisherStats } from '../publish/publisher.ts';
import type { AlsServer, AlsStreamInfo } from '../ingest/als-server.ts';
import type { CompletenessReport } from '../ingest/completeness.ts';
import type { StoreWriterStats } from '../store/writer.ts';

const levels = ['None', 'Low', 'Elevated', 'High', 'Critical'] as const;

/** What is looked at from outside. */
export interface AnalyzerView {
  /** Undefined while it starts. */
  analyzer: Analyzer | undefined;
  history: { entries: number; done: boolean };
  streams: AlsStreamInfo[];
  /** Requests whose end has not been heard of; undefined before the feeds are open. */
  inFlight: AlsServer['inFlight'] | undefined;
  completeness: CompletenessReport[];
  store: StoreWriterStats | undefined;
  publisher: PublisherStats | undefined;
}

/** Before there is a service. */
export const startingView: AnalyzerView = {
  analyzer: undefined,
  history: { entries: 0, done: false },
  streams: [],
  inFlight: undefined,
  completeness: [],
  store: undefined,
  publisher: undefined,
};

/** @param view undefined while there is nothing to look at */
export function reportAnalyzer(
  metrics: Metrics,
  clock: Clock,
  view: () => AnalyzerView | undefined,
): { passing: AnalyzerMetrics; beforeScrape(): Promise<void> } {
  const { readFrom } = metrics;
  /** Asked of the worker threads before the scrape, which cannot wait. */
  let usage: Usage | undefined;
  const apis = () => view()?.analyzer?.apis() ?? [];
  const verdicts = () => view()?.analyzer?.verdicts() ?? [];
  const usageAs = (pick: (usage: Usage) => number) => () => (usage ? [{ labels: {}, value: pick(usage) }] : []);

  readFrom('picket_ingest_streams', () => {
    const streams = view()?.streams;
    return streams ? [{ labels: { feed: 'als' as const }, value: streams.length }] : [];
  });
  readFrom('picket_ingest_completeness_ratio', () =>
    (view()?.completeness ?? [])
      .filter((report) => report.status === 'Known')
      .map(({ node, prefix, ratio }) => ({ labels: { envoy: node, manager: prefix }, value: ratio })),
  );
  readFrom('picket_ingest_in_flight_requests', () =>
    [...(view()?.inFlight?.byApi() ?? [])].map(([api, value]) => ({ labels: { api }, value })),
  );
  readFrom('picket_engine_lag_seconds', () => {
    const at = view()?.analyzer?.tick().at ?? 0;
    return at > 0 ? [{ labels: {}, value: Math.max(0, clock.now() - at) / 1000 }] : [];
  });
  readFrom(
    'picket_engine_principals',
    usageAs(({ profiles }) => profiles),
  );
  readFrom(
    'picket_engine_state_bytes',
    usageAs(({ bytes }) => bytes),
  );
  readFrom(
    'picket_engine_evicted_total',
    usageAs(({ evicted }) => evicted),
  );
  readFrom(
    'picket_engine_refused_total',
    usageAs(({ refused }) => refused),
  );
  readFrom('picket_decide_verdicts', () =>
    levels.map((level) => ({
      labels: { level },
      value: verdicts().filter((v) => Level[v.level] === level.toUpperCase()).length,
    })),
  );
  readFrom('picket_decide_decisions', () =>
    apis().flatMap(({ api, activity }): Sample<'picket_decide_decisions'>[] => [
      { labels: { api, mode: 'Enforce' }, value: activity.acting },
      { labels: { api, mode: 'DryRun' }, value: activity.wouldAct },
    ]),
  );
  readFrom('picket_api_requests_total', () =>
    apis().map(({ api, observations }) => ({ labels: { api }, value: observations })),
  );
  readFrom('picket_api_risk_score', () =>
    apis().map(({ api }) => ({
      labels: { api },
      value: verdicts().reduce((most, v) => (v.api === api ? Math.max(most, v.score) : most), 0),
    })),
  );
  readFrom('picket_store_failing_attempts', () => {
    const stats = view()?.store;
    return stats ? [{ labels: {}, value: stats.failures }] : [];
  });
  readFrom('picket_publish_waiting_objects', () => {
    const stats = view()?.publisher;
    return stats ? [{ labels: {}, value: stats.waiting }] : [];
  });
  readFrom('picket_publish_failures_total', () => {
    const stats = view()?.publisher;
    return stats ? [{ labels: {}, value: stats.failures }] : [];
  });
  readFrom('picket_store_records_dropped_total', () =>
    Object.entries(view()?.store?.records ?? {}).map(([kind, { dropped }]) => ({
      labels: { kind: kind as LabelsOf<'picket_store_records_dropped_total'>['kind'] },
      value: dropped,
    })),
  );

  return {
    passing: {
      tickTook: (durationMs) => metrics.observe('picket_engine_tick_duration_seconds', {}, durationMs / 1000),
      finding: (detector) => metrics.add('picket_detect_findings_total', { detector }),
      decision: (event) => metrics.add('picket_decide_changes_total', { event }),
    },
    async beforeScrape() {
      usage = await view()?.analyzer?.usage();
    },
  };
}
