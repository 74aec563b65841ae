/** `/metrics`: figures that exist anyway, read when scraped. */
import { Gauge, Registry } from 'prom-client';
import type { AdminOptions, AdminView } from './admin.ts';

export async function renderMetrics(options: AdminOptions, view: AdminView): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, values: [Record<string, string>, number][]): void => {
    const labelNames = [...new Set(values.flatMap(([labels]) => Object.keys(labels)))];
    const metric = new Gauge({ name: `picket_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of values) metric.set(labels, value);
  };
  const ledger = options.ledger.snapshot();
  const usage = await view.analyzer?.usage();
  gauge(
    'ingest_received_total',
    'Requests received, by feed.',
    Object.entries(ledger.byFeed).map(([feed, n]) => [{ feed }, n]),
  );
  gauge(
    'ingest_dropped_total',
    'Requests dropped, by stage and reason.',
    ledger.byReason.map((d) => [{ stage: d.stage, reason: d.reason }, d.count]),
  );
  gauge('store_stored_total', 'Requests acknowledged by the store.', [[{}, ledger.stored]]);
  gauge('store_held', 'Requests that wait in a buffer.', [[{}, ledger.held]]);
  gauge(
    'ingest_completeness_ratio',
    'Requests seen by requests that Envoy completed.',
    view.completeness.filter((c) => c.status === 'Known').map((c) => [{ envoy: c.node, manager: c.prefix }, c.ratio]),
  );
  gauge('ingest_streams', 'Open access log streams.', [[{}, view.streams.length]]);
  gauge('enforce_envoys', 'Envoys connected for filters.', [[{}, view.envoys.filter((e) => e.connected).length]]);
  if (usage) {
    gauge('state_bytes', 'Memory of profiles and windows.', [[{}, usage.bytes]]);
    gauge('state_principals', 'Principals with a profile.', [[{}, usage.profiles]]);
    gauge('state_evicted_total', 'Profiles and windows that lost their place.', [[{}, usage.evicted]]);
    gauge('state_refused_total', 'First sightings that got no profile.', [[{}, usage.refused]]);
  }
  const apis = view.analyzer?.apis() ?? [];
  gauge(
    'api_requests_total',
    'Requests of an API since start.',
    apis.map((a) => [{ api: a.api }, a.observations]),
  );
  gauge(
    'api_requests_per_second',
    'Requests per second, last five minutes.',
    apis.map((a) => [{ api: a.api }, a.traffic?.requestsPerSecond ?? 0]),
  );
  gauge(
    'api_decisions_in_force',
    'Decisions in force.',
    apis.map((a) => [{ api: a.api }, a.activity.acting]),
  );
  gauge(
    'api_risk_score',
    'Highest score among principals.',
    apis.map((a) => [
      { api: a.api },
      Math.max(0, ...(view.analyzer?.verdicts() ?? []).filter((v) => v.api === a.api).map((v) => v.score)),
    ]),
  );
  return await registry.metrics();
}
