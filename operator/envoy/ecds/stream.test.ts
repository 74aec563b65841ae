import { create } from '@bufbuild/protobuf';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '@picket/proto/gen/envoy/service/discovery/v3/discovery_pb.js';
import { describe, expect, test } from 'vitest';
import { type EcdsResource, encodeResource, formatVersion } from './resource.ts';
import { createEcdsStream } from './stream.ts';

const name = 'picket.decide.hot';

function resource(revision: number, statPrefix: string): EcdsResource {
  const encoded = encodeResource({
    name,
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
      rulesStatPrefix: statPrefix,
    },
  });
  return { ...encoded, revision, version: formatVersion(revision, encoded.hash) };
}

function stage() {
  const sent: DeltaDiscoveryResponse[] = [];
  const heard: string[] = [];
  const state = { current: undefined as EcdsResource | undefined, elapsed: 0 };
  const stream = createEcdsStream({
    current: () => state.current,
    known: (resourceName) => resourceName === name,
    send: (response) => void sent.push(response),
    events: {
      accepted: (_, hash) => void heard.push(`accepted ${hash}`),
      refused: (_, hash) => void heard.push(`refused ${hash}`),
      newerElsewhere: (_, revision) => void heard.push(`newer ${revision}`),
    },
    ttlMs: 300_000,
    refusalGraceMs: 30_000,
    elapsed: () => state.elapsed,
  });
  const request = (fields: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]) =>
    stream.onRequest(create(DeltaDiscoveryRequestSchema, fields));
  return {
    sent,
    heard,
    state,
    stream,
    subscribe: (versions: Record<string, string> = {}) =>
      request({ resourceNamesSubscribe: [name], initialResourceVersions: versions }),
    ack: (nonce = sent.at(-1)?.nonce ?? '') => request({ responseNonce: nonce }),
    nack: (nonce = sent.at(-1)?.nonce ?? '') =>
      request({ responseNonce: nonce, errorDetail: { code: 3, message: 'no' } }),
    request,
  };
}

describe('a delta stream', () => {
  test('nothing is served before decisions were loaded', () => {
    const { subscribe, sent, state, stream } = stage();
    subscribe();
    expect(sent).toEqual([]);
    state.current = resource(1, 'a');
    stream.push(name);
    expect(sent[0]?.resources[0]).toMatchObject({ name, version: state.current.version });
    expect(sent[0]?.resources[0]?.ttl?.seconds).toBe(300n);
  });

  test('a version waits for the answer to the one before, and only the newest follows', () => {
    const { subscribe, sent, state, stream, ack } = stage();
    state.current = resource(1, 'a');
    subscribe();
    state.current = resource(2, 'b');
    stream.push(name);
    state.current = resource(3, 'c');
    stream.push(name);
    expect(sent.length).toBe(1);
    ack();
    expect(sent.map((r) => r.resources[0]?.version)).toEqual([resource(1, 'a').version, resource(3, 'c').version]);
  });

  test('a refused content is never sent again', () => {
    const { subscribe, sent, state, stream, nack, heard } = stage();
    state.current = resource(1, 'a');
    subscribe();
    nack();
    expect(heard).toEqual([`refused ${resource(1, 'a').hash}`]);
    state.current = resource(2, 'a');
    stream.push(name);
    expect(sent.length).toBe(1);
    expect(stream.refusing(name)).toBe(true);
  });

  test('a heartbeat names the version acknowledged last, and its answer proves nothing', () => {
    const { subscribe, sent, state, stream, ack, heard } = stage();
    state.current = resource(1, 'a');
    subscribe();
    stream.heartbeat();
    expect(sent.length).toBe(1);
    ack();
    state.current = resource(2, 'b');
    stream.push(name);
    stream.heartbeat();
    expect(sent.length).toBe(2);
    ack();
    stream.heartbeat();
    expect(sent.at(-1)?.resources[0]?.version).toBe(resource(2, 'b').version);
    expect(sent.at(-1)?.resources[0]?.resource).toBeUndefined();
    ack();
    expect(heard).toEqual([`accepted ${resource(1, 'a').hash}`, `accepted ${resource(2, 'b').hash}`]);
  });

  test('heartbeats stop when a refusal stays unresolved', () => {
    const { subscribe, sent, state, stream, ack, nack } = stage();
    state.current = resource(1, 'a');
    subscribe();
    ack();
    state.current = resource(2, 'b');
    stream.push(name);
    nack();
    state.elapsed = 29_000;
    stream.heartbeat();
    expect(sent.length).toBe(3);
    state.elapsed = 30_000;
    stream.heartbeat();
    expect(sent.length).toBe(3);
    state.current = resource(3, 'c');
    stream.push(name);
    ack();
    stream.heartbeat();
    expect(sent.at(-1)?.resources[0]?.version).toBe(resource(3, 'c').version);
  });

  test('after a reconnect equal content is not sent again but kept alive at once', () => {
    const { subscribe, sent, state, heard } = stage();
    state.current = resource(9, 'a');
    const theirs = formatVersion(5, state.current.hash);
    subscribe({ [name]: theirs });
    expect(sent.map((r) => r.resources[0]?.version)).toEqual([theirs]);
    expect(sent[0]?.resources[0]?.resource).toBeUndefined();
    expect(heard).toEqual([`accepted ${state.current.hash}`]);
  });

  test('after a reconnect an older state is not served', () => {
    const { subscribe, sent, state, stream, heard } = stage();
    state.current = resource(5, 'old');
    subscribe({ [name]: formatVersion(7, resource(7, 'new').hash) });
    expect(sent).toEqual([]);
    expect(heard).toEqual(['newer 7']);
    state.current = resource(8, 'newest');
    stream.push(name);
    expect(sent.length).toBe(1);
  });

  test('subscriptions come and go without a nonce', () => {
    const { subscribe, sent, state, stream, request } = stage();
    state.current = resource(1, 'a');
    subscribe();
    request({ resourceNamesUnsubscribe: [name] });
    state.current = resource(2, 'b');
    stream.push(name);
    expect(sent.length).toBe(1);
    request({ resourceNamesSubscribe: ['somebody.else'] });
    expect(sent.at(-1)?.removedResources).toEqual(['somebody.else']);
  });
});
