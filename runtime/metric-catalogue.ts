/**
 * Every metric of every Picket process: declared once, with help and label values.
 * They are closed lists, or names of configured things.
 */
import { dropReasons, dropStages } from './ledger.ts';

const feeds = ['als', 'ext_proc', 'otlp', 'ebpf', 'replay'] as const;
const detectors = [
  'bruteForce',
  'credentialStuffing',
  'distributedStuffing',
  'objectEnumeration',
  'scraping',
  'tokenAbuse',
  'excess',
  'probing',
] as const;
const resources = [
  'picket.address.hot',
  'picket.address',
  'picket.identify',
  'picket.decide.hot',
  'picket.decide.warm',
  'picket.decide.cold',
] as const;
const layers = [
  'picket.address.hot',
  'picket.address',
  'picket.decide.hot',
  'picket.decide.warm',
  'picket.decide.cold',
] as const;
const records = ['ticks', 'inputs', 'findings', 'verdicts', 'decisions', 'loss'] as const;
/** Values that manifests or Envoys name: as many as there are objects or Envoys, never what callers send. */
const named: readonly string[] = [];
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface MetricDefinition {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels?: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds of a histogram. */
  buckets?: readonly number[];
}

export const metricCatalogue = {
  picket_operator_leading: {
    type: 'gauge',
    help: '1 on the replica that writes status and policies, 0 on those that wait. Absent without replicas.',
  },
  picket_ingest_received_total: {
    type: 'counter',
    help: 'Records received from feeds, whatever became of them.',
    labels: { feed: feeds },
  },
  picket_ingest_stored_total: { type: 'counter', help: 'Records that the store acknowledged.' },
  picket_ingest_dropped_total: {
    type: 'counter',
    help: 'Records dropped, by where and why. received = stored + dropped + held.',
    labels: { stage: dropStages, reason: dropReasons },
  },
  picket_ingest_held_records: { type: 'gauge', help: 'Records in buffers now.' },
  picket_ingest_streams: { type: 'gauge', help: 'Open feed streams.', labels: { feed: ['als'] } },
  picket_ingest_in_flight_requests: {
    type: 'gauge',
    help: 'Requests that Envoys reported on before their end, by API; empty = of none.',
    labels: { api: named },
  },
  picket_ingest_completeness_ratio: {
    type: 'gauge',
    help: 'Seen requests by requests that Envoy counted, per connection manager. Absent while unknown.',
    labels: { envoy: named, manager: named },
  },
  picket_engine_lag_seconds: {
    type: 'gauge',
    help: 'How far the last closed tick is behind the clock; grows while nothing arrives.',
  },
  picket_engine_tick_duration_seconds: {
    type: 'histogram',
    help: 'Time from closing a tick of event time to its verdicts and decisions.',
    buckets: seconds,
  },
  picket_engine_principals: { type: 'gauge', help: 'Principals with a profile in memory.' },
  picket_engine_state_bytes: { type: 'gauge', help: 'Memory of profiles and windows.' },
  picket_engine_evicted_total: { type: 'counter', help: 'Profiles and windows that lost their place to others.' },
  picket_engine_refused_total: { type: 'counter', help: 'Sightings of keys that got no profile or window.' },
  picket_detect_findings_total: {
    type: 'counter',
    help: 'Findings by detector that count towards a verdict.',
    labels: { detector: detectors },
  },
  picket_decide_verdicts: {
    type: 'gauge',
    help: 'Verdicts in force by level.',
    labels: { level: ['None', 'Low', 'Elevated', 'High', 'Critical'] },
  },
  picket_decide_decisions: {
    type: 'gauge',
    help: 'Decisions in force by API, and those that DryRun only tells of.',
    labels: { api: named, mode: ['DryRun', 'Enforce'] },
  },
  picket_decide_changes_total: {
    type: 'counter',
    help: 'Changes of decisions by what happened; suppressed = weakened or held back by safety.',
    labels: { event: ['decided', 'extended', 'lifted', 'expired', 'suppressed'] },
  },
  picket_api_requests_total: { type: 'counter', help: 'Requests of an API since start.', labels: { api: named } },
  picket_api_risk_score: { type: 'gauge', help: 'Highest score among principals, 0 to 100.', labels: { api: named } },
  picket_store_failing_attempts: {
    type: 'gauge',
    help: 'Failed writes since the store last took rows; 0 while it is well.',
  },
  picket_store_records_dropped_total: {
    type: 'counter',
    help: 'Rows other than requests that could not be stored.',
    labels: { kind: records },
  },
  picket_publish_waiting_objects: {
    type: 'gauge',
    help: 'Kubernetes objects whose newest state is not written yet.',
  },
  picket_publish_failures_total: {
    type: 'counter',
    help: 'Writes of Kubernetes objects that failed and are tried again.',
  },
  picket_enforce_envoys: { type: 'gauge', help: 'Envoys connected for enforcement.' },
  picket_enforce_pushes_total: {
    type: 'counter',
    help: 'Versions of a pushed filter.',
    labels: { resource: resources },
  },
  picket_enforce_answers_total: {
    type: 'counter',
    help: 'Answers of Envoys to pushed filters.',
    labels: { resource: resources, answer: ['ack', 'nack'] },
  },
  picket_enforce_held_decisions: {
    type: 'gauge',
    help: 'Decisions in the last version of a layer.',
    labels: { layer: layers },
  },
  picket_enforce_malformed_total: { type: 'counter', help: 'Decisions on the bus that could not be read.' },
  picket_manifest_problems: {
    type: 'gauge',
    help: 'Problems in the folder of manifests.',
    labels: { severity: ['Error', 'Warning'] },
  },
} as const satisfies Record<string, MetricDefinition>;
