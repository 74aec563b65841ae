/** Requests on an xDS stream: answers stay in proportion, and what a stream remembers stays bounded. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { createEcdsStream } from '@picket/operator/envoy/ecds/stream.ts';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
} from '@picket/proto/gen/envoy/service/discovery/v3/discovery_pb.js';
import { type FuzzTarget, must } from '../fuzz.ts';

const names = ['picket.identify', 'picket.decide.hot', 'picket.address'];
const hash = '0123456789abcdef';

export function xdsTarget(): FuzzTarget {
  const body = create(AnySchema, { typeUrl: 'x', value: new Uint8Array(8) });
  let sent = 0;
  const open = (): ReturnType<typeof createEcdsStream> =>
    createEcdsStream({
      known: (name) => names.includes(name),
      current: (name) => ({ name, version: `7-${hash}`, revision: 7, hash, body }),
      send: () => void sent++,
      events: { accepted() {}, refused() {}, newerElsewhere() {} },
      ttlMs: 1000,
      refusalGraceMs: 1000,
      elapsed: () => 0,
    });
  let stream = open();
  let age = 0;
  const encode = (request: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): Buffer =>
    Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request)));
  return {
    seeds: [
      encode({ node: { id: 'envoy-1', cluster: 'shop' }, typeUrl: 'type', resourceNamesSubscribe: names }),
      encode({
        resourceNamesSubscribe: ['picket.identify'],
        initialResourceVersions: { 'picket.identify': `9-${hash}` },
      }),
      encode({ responseNonce: '1' }),
      encode({ responseNonce: '2', errorDetail: { code: 13, message: 'bad config' } }),
      encode({ resourceNamesUnsubscribe: names, resourceNamesSubscribe: ['other', 'picket.decide.hot'] }),
    ],
    dictionary: [
      ...names,
      '\x0a',
      '\x12',
      '\x1a',
      '\x22',
      '\x2a',
      '\x32',
      '\x3a',
      '7-0123456789abcdef',
      '1',
      '2',
      '3',
      '\x00',
    ],
    check(input) {
      let request: DeltaDiscoveryRequest;
      try {
        request = fromBinary(DeltaDiscoveryRequestSchema, input);
      } catch {
        // gRPC refuses it before we see it.
        return;
      }
      sent = 0;
      stream.onRequest(request);
      must(sent <= 2 * request.resourceNamesSubscribe.length + 2, `${sent} answers to one request`);
      sent = 0;
      stream.heartbeat();
      must(sent <= names.length, `${sent} heartbeats for ${names.length} resources`);
      // Streams live for a while, so that what they remember meets what comes next.
      if (++age % 200 === 0) stream = open();
    },
  };
}
