/** `/metrics`: counted in passing by analyzer and operator, or read from its source at the scrape. */
import type { AnalyzerMetrics } from '@picket/analyzer/analyzer.ts';
import type { Usage } from '@picket/analyzer/engine/partition.ts';
import type { FleetMetrics } from '@picket/operator/envoy/fleet.ts';
import { Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Ledger } from '@picket/runtime/ledger.ts';
import { createMetrics, type LabelsOf, reportLedger, type Sample } from '@picket/runtime/metrics.ts';
import type { AdminOptions, AdminView } from './admin.ts';

export interface ProcessMetrics {
  analyzer: AnalyzerMetrics;
  fleet: FleetMetrics;
  /** Prometheus text format. */
  render(options: AdminOptions, view: AdminView): Promise<string>;
  contentType: string;
}

export function createProcessMetrics(ledger: Ledger): ProcessMetrics {
  const metrics = createMetrics({ node: true });
  reportLedger(metrics, ledger);
  /** What the scrape that is being answered is about. */
  let scrape: { options: AdminOptions; view: AdminView; usage: Usage | undefined } | undefined;

  const { readFrom } = metrics;
  const apis = () => scrape?.view.analyzer?.apis() ?? [];
  const verdicts = () => scrape?.view.analyzer?.verdicts() ?? [];
  const usageAs = (pick: (usage: Usage) => number) => () =>
    scrape?.usage ? [{ labels: {}, value: pick(scrape.usage) }] : [];
  const viewAs = (pick: (view: AdminView) => number) => () =>
    scrape ? [{ labels: {}, value: pick(scrape.view) }] : [];

  readFrom('picket_ingest_streams', () =>
    scrape ? [{ labels: { feed: 'als' as const }, value: scrape.view.streams.length }] : [],
  );
  readFrom('picket_ingest_completeness_ratio', () =>
    (scrape?.view.completeness ?? [])
      .filter((report) => report.status === 'Known')
      .map(({ node, prefix, ratio }) => ({ labels: { envoy: node, manager: prefix }, value: ratio })),
  );
  readFrom('picket_ingest_in_flight_requests', () =>
    [...(scrape?.view.inFlight?.byApi() ?? [])].map(([api, value]) => ({ labels: { api }, value })),
  );
  readFrom('picket_engine_lag_seconds', () => {
    const at = scrape?.view.analyzer?.tick().at ?? 0;
    return scrape && at > 0 ? [{ labels: {}, value: Math.max(0, scrape.options.clock.now() - at) / 1000 }] : [];
  });
  readFrom(
    'picket_engine_principals',
    usageAs((usage) => usage.profiles),
  );
  readFrom(
    'picket_engine_state_bytes',
    usageAs((usage) => usage.bytes),
  );
  readFrom(
    'picket_engine_evicted_total',
    usageAs((usage) => usage.evicted),
  );
  readFrom(
    'picket_engine_refused_total',
    usageAs((usage) => usage.refused),
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
  readFrom(
    'picket_store_failing_attempts',
    viewAs((view) => view.store.failures),
  );
  readFrom('picket_store_records_dropped_total', () =>
    Object.entries(scrape?.view.store.records ?? {}).map(([kind, { dropped }]) => ({
      labels: { kind: kind as LabelsOf<'picket_store_records_dropped_total'>['kind'] },
      value: dropped,
    })),
  );
  readFrom(
    'picket_enforce_envoys',
    viewAs((view) => view.envoys.filter((envoy) => envoy.connected).length),
  );
  readFrom('picket_manifest_problems', () => {
    const problems = scrape?.options.objects.problems() ?? [];
    return (['Error', 'Warning'] as const).map((severity) => ({
      labels: { severity },
      value: problems.filter((problem) => problem.severity === severity).length,
    }));
  });

  return {
    analyzer: {
      tickTook: (durationMs) => metrics.observe('picket_engine_tick_duration_seconds', {}, durationMs / 1000),
      finding: (detector) => metrics.add('picket_detect_findings_total', { detector }),
      decision: (event) => metrics.add('picket_decide_changes_total', { event }),
    },
    fleet: {
      pushed: (resource) => metrics.add('picket_enforce_pushes_total', { resource }),
      accepted: (resource) => metrics.add('picket_enforce_answers_total', { resource, answer: 'ack' }),
      refused: (resource) => metrics.add('picket_enforce_answers_total', { resource, answer: 'nack' }),
      held: (layer, decisions) => metrics.set('picket_enforce_held_decisions', { layer }, decisions),
      malformedDecision: () => metrics.add('picket_enforce_malformed_total', {}),
    },
    async render(options, view) {
      scrape = { options, view, usage: await view.analyzer?.usage() };
      return metrics.text();
    },
    contentType: metrics.contentType,
  };
}

const levels = ['None', 'Low', 'Elevated', 'High', 'Critical'] as const;
