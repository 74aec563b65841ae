import type { TrafficSensor, TrafficSensorSpec } from '@picket/crds/gen/types.ts';
import { expect, test } from 'vitest';
import { decide } from './decide.ts';

const now = Date.parse('2026-02-03T04:05:06Z');

function claims(
  spec: TrafficSensorSpec,
  facts: { name?: string; connectedEnvoys?: number; readyPods?: number } = {},
): Record<string, string> {
  const sensor: TrafficSensor = {
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'TrafficSensor',
    metadata: {
      name: facts.name ?? 'edge',
      namespace: 'shop',
      uid: 'uid-1',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec,
  };
  const { connectedEnvoys = 0, readyPods } = facts;
  const { status } = decide({ sensor, fleet: 'edge', connectedEnvoys, readyPods }, now);
  return Object.fromEntries((status.conditions ?? []).map((c) => [c.type, `${c.status} ${c.reason}: ${c.message}`]));
}

const xds: TrafficSensorSpec = { envoy: { provider: 'XDS' } };

test('a sensor is ready when every Envoy that there should be is connected', () => {
  expect(claims(xds)).toMatchObject({ Programmed: expect.stringMatching(/^False NoEnvoys/) });
  expect(claims(xds, { connectedEnvoys: 2 })).toEqual({
    Accepted: 'True Accepted: The fleet edge is served',
    Programmed: 'True Connected: 2 of 2 Envoys of fleet edge are connected',
    Ready: 'True Ready: The Envoys of the fleet are connected',
  });
  expect(claims(xds, { connectedEnvoys: 1, readyPods: 3 })).toMatchObject({
    Programmed: 'False Pending: 1 of 3 Envoys of fleet edge are connected',
    Ready: expect.stringMatching(/^False Pending/),
  });
});

test('what this version does not do is said and not pretended', () => {
  const accepted = (spec: TrafficSensorSpec, name?: string) => claims(spec, name ? { name } : {})['Accepted'];
  expect(accepted({ envoy: { provider: 'Istio' } })).toMatch(/^False UnsupportedProvider: spec.envoy.provider/);
  expect(accepted({ nodes: { tls: 'Off', maxBodyBytes: 0 } })).toMatch(/^False UnsupportedSource: spec.nodes/);
  expect(accepted(xds, 'other')).toMatch(/^False UnknownFleet: metadata.name: .*--fleet other/);
  expect(
    accepted({
      envoy: {
        provider: 'XDS',
        feeds: { accessLog: true, bodyMirror: { maxBodyBytes: 1, contentTypes: [], sample: '1%' } },
      },
    }),
  ).toMatch(/^True PartlySupported: .*bodyMirror/);
  expect(claims({ envoy: { provider: 'Istio' } })).not.toHaveProperty('Programmed');
});
