import { expect, it } from 'vitest';
import { createLedger } from './ledger.ts';
import { type MetricDefinition, metricCatalogue } from './metric-catalogue.ts';
import { createMetrics, reportLedger } from './metrics.ts';

async function lines(metrics: { text(): Promise<string> }, name: string): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(name));
}

it('counts, sets and observes under the names of the catalogue', async () => {
  const metrics = createMetrics({ node: false });
  metrics.add('picket_detect_findings_total', { detector: 'scraping' });
  metrics.add('picket_detect_findings_total', { detector: 'scraping' }, 2);
  metrics.set('picket_decide_decisions', { api: 'shop/orders', mode: 'Enforce' }, 3);
  metrics.observe('picket_engine_tick_duration_seconds', {}, 0.02);
  expect(await lines(metrics, 'picket_detect')).toEqual(['picket_detect_findings_total{detector="scraping"} 3']);
  expect(await lines(metrics, 'picket_decide_decisions')).toEqual([
    'picket_decide_decisions{api="shop/orders",mode="Enforce"} 3',
  ]);
  expect(await lines(metrics, 'picket_engine_tick_duration_seconds_bucket{le="0.025"}')).toEqual([
    'picket_engine_tick_duration_seconds_bucket{le="0.025"} 1',
  ]);
});

it('leaves out a gauge that nobody knows, because 0 would be a statement', async () => {
  const metrics = createMetrics({ node: false });
  expect(await lines(metrics, 'picket_ingest_completeness_ratio')).toEqual([]);
  expect(await lines(metrics, 'picket_engine_principals')).toEqual([]);
  metrics.set('picket_engine_principals', {}, 7);
  expect(await lines(metrics, 'picket_engine_principals')).toEqual(['picket_engine_principals 7']);
});

it('forgets what a reader no longer reports', async () => {
  const metrics = createMetrics({ node: false });
  let streams: number | undefined = 2;
  metrics.readFrom('picket_ingest_streams', () =>
    streams === undefined ? [] : [{ labels: { feed: 'als' as const }, value: streams }],
  );
  expect(await lines(metrics, 'picket_ingest_streams')).toEqual(['picket_ingest_streams{feed="als"} 2']);
  streams = undefined;
  expect(await lines(metrics, 'picket_ingest_streams')).toEqual([]);
});

it('shows the ledger as it is at each scrape', async () => {
  const metrics = createMetrics({ node: false });
  const ledger = createLedger();
  reportLedger(metrics, ledger);
  ledger.holds('order', () => 4);
  ledger.received('als', 10);
  ledger.stored(5);
  ledger.dropped('decode', 'malformed');
  const expected = [
    'picket_ingest_received_total{feed="als"} 10',
    'picket_ingest_stored_total 5',
    'picket_ingest_dropped_total{stage="decode",reason="malformed"} 1',
    'picket_ingest_held_records 4',
  ];
  expect((await lines(metrics, 'picket_ingest')).sort()).toEqual([...expected].sort());
  expect((await lines(metrics, 'picket_ingest')).sort()).toEqual([...expected].sort());
});

it('reports the process itself when asked', async () => {
  expect(await createMetrics({ node: true }).text()).toContain('process_resident_memory_bytes');
});

it('names every metric by the rule: component, what, unit or total', () => {
  for (const [name, definition] of Object.entries<MetricDefinition>(metricCatalogue)) {
    expect(name).toMatch(/^picket_[a-z]+(_[a-z]+)+$/);
    expect(name.endsWith('_total')).toBe(definition.type === 'counter');
    expect(definition.help).toMatch(/\.$/);
  }
});
