/** What an operator counts in passing, and what is read from it at a scrape. */
import type { Metrics } from '@picket/runtime/metrics.ts';
import type { FleetMetrics } from './envoy/fleet.ts';
import type { EnvoyAck } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';

/** @param envoys undefined while nothing is served */
export function reportOperator(metrics: Metrics, envoys: () => readonly EnvoyAck[] | undefined): FleetMetrics {
  metrics.readFrom('picket_enforce_envoys', () => {
    const known = envoys();
    return known ? [{ labels: {}, value: known.filter((envoy) => envoy.connected).length }] : [];
  });
  return {
    pushed: (resource) => metrics.add('picket_enforce_pushes_total', { resource }),
    accepted: (resource) => metrics.add('picket_enforce_answers_total', { resource, answer: 'ack' }),
    refused: (resource) => metrics.add('picket_enforce_answers_total', { resource, answer: 'nack' }),
    held: (layer, decisions) => metrics.set('picket_enforce_held_decisions', { layer }, decisions),
    malformedDecision: () => metrics.add('picket_enforce_malformed_total', {}),
  };
}
