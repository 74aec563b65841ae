import type { TrafficSensor, TrafficSensorSpec } from '@picket/crds/gen/types.ts';
import type { StoredObject } from '@picket/runtime/objects/object-store.ts';
import { describe, expect, test } from 'vitest';
import { decide, type TrafficSensorPlan } from './decide.ts';
import type { ProviderFacts } from './providers/provider.ts';

const now = Date.parse('2026-02-03T04:05:06Z');

interface Given {
  name?: string;
  connectedEnvoys?: number;
  readyPods?: number;
  provider?: Partial<ProviderFacts>;
}

function plan(spec: TrafficSensorSpec, given: Given = {}): TrafficSensorPlan {
  const sensor: TrafficSensor = {
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'TrafficSensor',
    metadata: metadata(given.name ?? 'edge'),
    spec,
  };
  const { connectedEnvoys = 0, readyPods } = given;
  const provider: ProviderFacts = {
    settings: undefined,
    report: { headers: { request: [':method'], response: [] }, flowFilter: undefined, ja4: false },
    gateways: new Map(),
    present: [],
    refusal: undefined,
    ...given.provider,
  };
  return decide({ sensor, fleet: 'edge', connectedEnvoys, readyPods, provider }, now);
}

function metadata(name: string) {
  return {
    ...{ name, namespace: 'shop', uid: `uid-${name}`, generation: 1 },
    ...{ resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
  };
}

function claims(spec: TrafficSensorSpec, given: Given = {}): Record<string, string> {
  const { status } = plan(spec, given);
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
  expect(accepted({ envoy: { provider: 'Istio' } })).toMatch(
    /^False ProviderSwitchedOff: spec.envoy.provider.*providers.istio.enabled=true/,
  );
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

const settings: ProviderFacts['settings'] = {
  enabled: ['EnvoyGateway', 'Istio'],
  addresses: { xds: { host: 'operator', port: 1 }, als: { host: 'analyzer', port: 2 } },
};

describe('Envoy Gateway', () => {
  const spec: TrafficSensorSpec = { envoy: { provider: 'EnvoyGateway', gateways: ['web'] } };
  const gateway = stored('Gateway', 'web', {
    spec: { listeners: [{ name: 'http', port: 8080, protocol: 'HTTP' }] },
  });
  const listener = 'type.googleapis.com/envoy.config.listener.v3.Listener';
  const there = (present: StoredObject[] = []): Given => ({
    provider: { settings, gateways: new Map([['web', gateway]]), present },
  });

  function stored(kind: string, name: string, more: Partial<StoredObject>): StoredObject {
    return { apiVersion: 'v1', kind, metadata: metadata(name), spec: {}, ...more };
  }

  /** The patch policy as it was written, with an answer to it. */
  function answered(before: TrafficSensorPlan, condition: Record<string, string | number>): StoredObject {
    const written = before.objects.find(({ kind }) => kind === 'EnvoyPatchPolicy');
    const answer = { message: '', lastTransitionTime: '2026-02-03T04:05:00Z', observedGeneration: 1, ...condition };
    return stored('EnvoyPatchPolicy', 'picket-edge-web', {
      spec: written?.spec,
      status: { ancestors: [{ conditions: [answer] }] },
    });
  }

  const listeners = ({ objects }: TrafficSensorPlan): string[] => {
    const [policy] = objects.map(({ spec }) => spec as { jsonPatches: { type: string; name: string }[] });
    return [...new Set(policy?.jsonPatches.filter(({ type }) => type === listener).map(({ name }) => name))];
  };

  test('what it answers becomes a condition that says what to do', () => {
    const first = plan(spec, there());
    const programmed = (condition: Record<string, string | number>) =>
      claims(spec, there([answered(first, condition)]))['Programmed'];
    expect(claims(spec, there())['Programmed']).toMatch(/^False Pending/);
    expect(programmed({ type: 'Accepted', status: 'False', reason: 'Disabled' })).toMatch(
      /^False PatchPoliciesDisabled: .*enableEnvoyPatchPolicy to true/,
    );
    // It does not read what it is told not to take.
    const accepted = stored('Gateway', 'web', {
      spec: gateway.spec,
      status: { conditions: [{ type: 'Accepted', status: 'True' }] },
    });
    const silent = (createdAt: string) => {
      const policy = stored('EnvoyPatchPolicy', 'picket-edge-web', {});
      policy.metadata.creationTimestamp = createdAt;
      const provider = { settings, gateways: new Map([['web', accepted]]), present: [policy] };
      return claims(spec, { provider })['Programmed'];
    };
    expect(silent('2026-02-03T04:05:00Z')).toMatch(/^False Pending/);
    expect(silent('2026-02-03T04:04:00Z')).toMatch(/^False PatchPoliciesDisabled/);
    expect(programmed({ type: 'Programmed', status: 'False', reason: 'Invalid', message: 'no such field' })).toBe(
      'False RefusedByProvider: EnvoyPatchPolicy shop/picket-edge-web: no such field',
    );
    const done = { type: 'Programmed', status: 'True', reason: 'Programmed' };
    expect(programmed(done)).toMatch(/^False NoEnvoys/);
    expect(claims(spec, { ...there([answered(first, done)]), connectedEnvoys: 1 })['Ready']).toMatch(/^True Ready/);
    expect(programmed({ ...done, observedGeneration: 0 })).toMatch(/^False Pending/);
    expect(claims(spec, { provider: { settings, gateways: new Map([['web', undefined]]) } })['Programmed']).toBe(
      'False GatewayNotFound: spec.envoy.gateways: there is no Gateway shop/web',
    );
  });

  test('a scheme of names under which it finds nothing gives way to the other', () => {
    const missing = (names: string[]) => ({
      ...{ type: 'Programmed', status: 'False', reason: 'ResourceNotFound' },
      message: `Unable to find xds resources: ${names.map((name) => `${listener}/${name}`).join(',')}`,
    });
    const first = plan(spec, there());
    expect(listeners(first)).toEqual(['shop/web/http']);
    const second = plan(spec, there([answered(first, missing(['shop/web/http']))]));
    expect(listeners(second)).toEqual(['tcp-8080']);
    // Not at once: the Gateway may have no listener yet under either.
    expect(listeners(plan(spec, there([answered(second, missing(['tcp-8080']))])))).toEqual(['tcp-8080']);
    const later = { ...missing(['tcp-8080']), lastTransitionTime: '2026-02-03T04:00:00Z' };
    expect(listeners(plan(spec, there([answered(second, later)])))).toEqual(['shop/web/http']);
    // One of several that is missing is no matter of names.
    expect(listeners(plan(spec, there([answered(first, missing(['shop/web/other']))])))).toEqual(['shop/web/http']);
  });

  test('Envoys without a certificate are told where to get it', () => {
    const secured = { ...settings, addresses: { ...settings.addresses, tlsSecret: 'picket-envoy-tls' } };
    const done = answered(plan(spec, there()), { type: 'Programmed', status: 'True', reason: 'Programmed' });
    const claim = (parametersRef?: object) => {
      const gatewayNow = { ...gateway, spec: { ...(gateway.spec as object), infrastructure: { parametersRef } } };
      return claims(spec, {
        provider: { settings: secured, gateways: new Map([['web', gatewayNow]]), present: [done] },
      })['Programmed'];
    };
    expect(claim()).toMatch(/^False CertificateNotMounted: .*parametersRef.*name: picket-edge /);
    expect(claim({ kind: 'EnvoyProxy', name: 'own' })).toMatch(/mount the Secret picket-envoy-tls in EnvoyProxy own/);
    expect(claim({ kind: 'EnvoyProxy', name: 'picket-edge' })).toMatch(/^False NoEnvoys/);
  });

  test('a cluster without it, and objects of an earlier spec', () => {
    const refusal = { kind: 'EnvoyPatchPolicy', installed: false, message: '' };
    expect(claims(spec, { provider: { settings, refusal } })['Programmed']).toMatch(/^False ProviderNotInstalled/);
    const left = stored('EnvoyPatchPolicy', 'picket-edge-web', {});
    expect(plan(xds, there([left]))).toMatchObject({
      objects: [],
      obsolete: [{ kind: 'EnvoyPatchPolicy', namespace: 'shop', name: 'picket-edge-web' }],
    });
    expect(plan(spec, there([left])).obsolete).toEqual([]);
  });
});

test('of Istio nothing but its Envoys answers', () => {
  const spec: TrafficSensorSpec = { envoy: { provider: 'Istio', gateways: ['web'] } };
  expect(claims(spec, { provider: { settings } })['Programmed']).toMatch(
    /^False NoEnvoys: .*EnvoyFilter shop\/picket-edge/,
  );
  expect(plan(spec, { provider: { settings } }).objects.map(({ kind }) => kind)).toEqual(['EnvoyFilter']);
});
