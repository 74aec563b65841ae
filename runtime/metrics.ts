import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Ledger } from './ledger.ts';
import { type MetricDefinition, metricCatalogue } from './metric-catalogue.ts';

type Catalogue = typeof metricCatalogue;
type NameOf<T extends MetricDefinition['type']> = {
  [N in keyof Catalogue]: Catalogue[N]['type'] extends T ? N : never;
}[keyof Catalogue];

/** Labels of a metric with their closed values. */
export type LabelsOf<N extends keyof Catalogue> = Catalogue[N] extends { labels: infer L }
  ? { [K in keyof L]: L[K] extends readonly (infer V)[] ? V : never }
  : Record<string, never>;

export interface Sample<N extends keyof Catalogue> {
  labels: LabelsOf<N>;
  value: number;
}

/** The metrics of one process. Names, labels and label values are those of the catalogue. */
export interface Metrics {
  add<N extends NameOf<'counter'>>(name: N, labels: LabelsOf<N>, count?: number): void;
  set<N extends NameOf<'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** In the unit of the name: seconds. */
  observe<N extends NameOf<'histogram'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Reads the values from their source at each scrape, in place of `add` and `set`. */
  readFrom<N extends NameOf<'counter' | 'gauge'>>(name: N, read: () => Sample<N>[]): void;
  /** Prometheus text format. */
  text(): Promise<string>;
  contentType: string;
}

/** @param options.node also report memory, event loop and garbage collection of this process */
export function createMetrics(options: { node: boolean }): Metrics {
  const registry = new Registry();
  if (options.node) collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const readers: (() => void)[] = [];

  for (const [name, definition] of Object.entries<MetricDefinition>(metricCatalogue)) {
    const labelNames = Object.keys(definition.labels ?? {});
    const common = { name, help: definition.help, labelNames, registers: [registry] };
    if (definition.type === 'counter') counters.set(name, new Counter(common));
    else if (definition.type === 'gauge') gauges.set(name, new Gauge(common));
    else histograms.set(name, new Histogram({ ...common, buckets: [...(definition.buckets ?? [])] }));
  }

  for (const [name, gauge] of gauges) forget(name, gauge);

  return {
    add: (name, labels, count = 1) => counters.get(name)?.inc(labels, count),
    set: (name, labels, value) => gauges.get(name)?.set(labels, value),
    observe: (name, labels, value) => histograms.get(name)?.observe(labels, value),
    readFrom(name, read) {
      readers.push(() => {
        const metric = counters.get(name) ?? gauges.get(name);
        metric?.reset();
        if (metric instanceof Gauge) forget(name, metric);
        for (const { labels, value } of read()) metric?.inc(labels, value);
      });
    },
    async text() {
      for (const read of readers) read();
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

/** A gauge that nobody set is unknown, not 0: completeness above all. prom-client starts those without labels at 0. */
function forget(name: string, gauge: Gauge): void {
  const definition: MetricDefinition | undefined = metricCatalogue[name as keyof Catalogue];
  if (definition?.labels === undefined) gauge.remove();
}

/** Shows the ledger: what was received, stored, dropped and is held. */
export function reportLedger(metrics: Metrics, ledger: Ledger): void {
  metrics.readFrom('picket_ingest_received_total', () =>
    Object.entries(ledger.snapshot().byFeed).map(([feed, value]) => ({
      labels: { feed: feed as LabelsOf<'picket_ingest_received_total'>['feed'] },
      value,
    })),
  );
  metrics.readFrom('picket_ingest_stored_total', () => [{ labels: {}, value: ledger.snapshot().stored }]);
  metrics.readFrom('picket_ingest_dropped_total', () =>
    ledger.snapshot().byReason.map(({ stage, reason, count }) => ({ labels: { stage, reason }, value: count })),
  );
  metrics.readFrom('picket_ingest_held_records', () => [{ labels: {}, value: ledger.snapshot().held }]);
}
