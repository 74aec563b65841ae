/** Every metric of every Picket process: declared once, with help and closed label values. */
import { errorCodes } from './errors.ts';
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
const codes = Object.keys(errorCodes) as (keyof typeof errorCodes)[];
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface MetricDefinition {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels?: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds of a histogram. */
  buckets?: readonly number[];
}

export const metricCatalogue = {
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
  picket_ingest_streams: { type: 'gauge', help: 'Open feed streams.', labels: { feed: feeds } },
  picket_ingest_completeness_ratio: {
    type: 'gauge',
    help: 'Seen requests by requests that Envoy counted. Absent while unknown.',
  },
  picket_engine_lag_seconds: { type: 'gauge', help: 'How far the watermark is behind the clock.' },
  picket_engine_tick_duration_seconds: {
    type: 'histogram',
    help: 'Time that closing one tick of event time takes.',
    buckets: seconds,
  },
  picket_engine_principals: { type: 'gauge', help: 'Principals with a profile in memory.' },
  picket_detect_findings_total: {
    type: 'counter',
    help: 'Findings by detector, before the alert budget.',
    labels: { detector: detectors },
  },
  picket_decide_verdicts: {
    type: 'gauge',
    help: 'Verdicts in force by level.',
    labels: { level: ['Low', 'Elevated', 'High', 'Critical'] },
  },
  picket_decide_decisions: {
    type: 'gauge',
    help: 'Decisions in force by action and mode of the policy.',
    labels: { action: ['Tag', 'Throttle', 'Challenge', 'Deny'], mode: ['DryRun', 'Enforce'] },
  },
  picket_decide_suppressed_total: { type: 'counter', help: 'Decisions that safety weakened or held back.' },
  picket_store_write_duration_seconds: {
    type: 'histogram',
    help: 'Time of one write to the store.',
    labels: { outcome: ['stored', 'failed'] },
    buckets: seconds,
  },
  picket_enforce_envoys: { type: 'gauge', help: 'Envoys connected for enforcement.' },
  picket_enforce_answers_total: {
    type: 'counter',
    help: 'Answers of Envoys to pushed configuration.',
    labels: { answer: ['ack', 'nack'] },
  },
  picket_enforce_delivery_seconds: {
    type: 'histogram',
    help: 'Time from a decision to its acknowledgement by an Envoy.',
    buckets: seconds,
  },
  picket_manifest_problems: {
    type: 'gauge',
    help: 'Problems in the folder of manifests.',
    labels: { severity: ['Error', 'Warning'] },
  },
  picket_process_errors_total: { type: 'counter', help: 'Failures by code.', labels: { code: codes } },
} as const satisfies Record<string, MetricDefinition>;
