import { create } from '@bufbuild/protobuf';
import { CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { renderMatchedFlowFilter } from '../render/flow-facts.ts';
import { resourceNames } from '../render/names.ts';
import { renderBodyMirror, renderEnvoyProxy, renderPatchPolicy } from './envoy-gateway.ts';
import { renderIstio } from './istio.ts';
import type { Wiring } from './wiring.ts';

const policies = [
  create(CompiledPolicySchema, {
    apiUid: 'uid-payments',
    hosts: ['pay.example.com'],
    pathPrefix: '/v1',
    flows: [
      {
        ...{ name: 'login', method: 'POST', path: '/v1/login' },
        account: { from: { case: 'requestField', value: '/user/name' } },
        success: [{ all: [{ test: { case: 'responseField', value: { pointer: '/ok', equalsJson: 'true' } } }] }],
      },
    ],
  }),
  create(CompiledPolicySchema, { apiUid: 'uid-admin', hosts: ['pay.example.com'], pathPrefix: '/v1/admin' }),
  create(CompiledPolicySchema, { apiUid: 'uid-site', hosts: ['*'], pathPrefix: '' }),
];

const wiring: Wiring = {
  sensor: { namespace: 'shop', name: 'edge', uid: 'uid-edge' },
  fleet: 'edge',
  xds: { host: 'picket-operator.picket.svc', port: 18091 },
  als: { host: 'picket-analyzer.picket.svc', port: 18090 },
  bodies: { namespace: 'picket', name: 'picket-analyzer', port: 18092 },
  tlsSecret: 'picket-envoy-tls',
  report: {
    headers: { request: [':method', 'accept', 'x-api-key'], response: ['content-type', 'set-cookie'] },
    flowFilter: renderMatchedFlowFilter(policies),
    ja4: true,
  },
};
const { tlsSecret: _, bodies: __, ...plain } = wiring;

const gateway = {
  name: 'web',
  listeners: [
    { name: 'http', port: 80, protocol: 'HTTP' },
    { name: 'https', port: 8443, protocol: 'HTTPS' },
    { name: 'https-admin', port: 8443, protocol: 'HTTPS' },
    { name: 'postgres', port: 5432, protocol: 'TCP' },
  ],
};
const oneListener = { ...gateway, listeners: gateway.listeners.slice(0, 1) };

const golden = (name: string, object: unknown) =>
  expect(stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).toMatchFileSnapshot(
    `testdata/${name}.yaml`,
  );

describe('Istio', () => {
  test('gateways by reference', () => golden('istio-gateways', renderIstio(wiring, { gateways: ['web'] })));

  test('pods by label, as gateways and as sidecars', () => {
    const spec = renderIstio(plain, { matchLabels: { app: 'payments' } }).spec as {
      workloadSelector: unknown;
      configPatches: { match: { context: string } }[];
    };
    expect(spec.workloadSelector).toEqual({ labels: { app: 'payments' } });
    const contexts = Map.groupBy(spec.configPatches, ({ match }) => match.context);
    expect([...contexts.keys()]).toEqual(['ANY', 'GATEWAY', 'SIDECAR_INBOUND']);
    const inContext = (context: string) =>
      contexts.get(context)?.map((patch) => ({ ...patch, match: { ...patch.match, context: undefined } }));
    expect(inContext('SIDECAR_INBOUND')).toEqual(inContext('GATEWAY'));
  });
});

describe('Envoy Gateway', () => {
  test('a patch of what it makes of each listener', () =>
    golden('envoy-gateway-patch', renderPatchPolicy(wiring, oneListener, 'ByListener')));

  test('listeners named by port', () => {
    const named = (scheme: 'ByListener' | 'ByPort') => {
      const spec = renderPatchPolicy(plain, gateway, scheme).spec as {
        jsonPatches: { name: string; operation: { value: unknown } }[];
      };
      const prefixes = JSON.stringify(spec).matchAll(/"log_name":"([^"]+)"/g);
      return {
        listeners: [...new Set(spec.jsonPatches.map(({ name }) => name))],
        logs: [...prefixes].map(([, n]) => n),
      };
    };
    expect(named('ByListener')).toEqual({
      listeners: ['picket-xds', 'picket-als', 'shop/web/http', 'shop/web/https'],
      logs: ['http-10080', 'https-8443'],
    });
    expect(named('ByPort')).toEqual({
      listeners: ['picket-xds', 'picket-als', 'tcp-80', 'tcp-8443'],
      logs: ['http-80', 'https-8443'],
    });
  });

  test('the certificate of its Envoys', () => golden('envoy-gateway-proxy', renderEnvoyProxy(wiring)));
  test('a mirror of bodies', () => golden('envoy-gateway-mirror', renderBodyMirror(wiring, ['web'])));

  test('neither where nothing asks for it', () => {
    expect(renderEnvoyProxy(plain)).toBeUndefined();
    expect(renderBodyMirror(plain, ['web'])).toBeUndefined();
  });
});

test('no body is read and no fingerprint taken where nobody asks for it', () => {
  const report = { ...wiring.report!, flowFilter: renderMatchedFlowFilter(policies.slice(1)), ja4: false };
  for (const from of [
    { ...wiring, report },
    { ...wiring, report: undefined },
  ]) {
    for (const object of [renderIstio(from, { gateways: ['web'] }), renderPatchPolicy(from, oneListener, 'ByPort')]) {
      expect(JSON.stringify(object)).not.toMatch(/picket\.flow|json_to_metadata|ja4/);
    }
  }
});

test('every provider attaches every pushed filter to the fleet', () => {
  for (const object of [renderIstio(plain, { gateways: ['web'] }), renderPatchPolicy(plain, oneListener, 'ByPort')]) {
    const text = JSON.stringify(object);
    for (const name of resourceNames) expect(text.split(`"name":"${name}","config_discovery"`)).toHaveLength(2);
    expect(text.split('"initial_metadata":[{"key":"picket-fleet","value":"edge"}]')).toHaveLength(
      resourceNames.length + 1,
    );
  }
});
