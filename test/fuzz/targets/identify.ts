/** From an access log message to a row: every entry becomes an observation or a counted drop, and every row is JSON. */
import { create } from '@bufbuild/protobuf';
import { createEscrow } from '@picket/analyzer/identify/escrow.ts';
import { createIdentifier } from '@picket/analyzer/identify/identifier.ts';
import { createKeyRing } from '@picket/analyzer/identify/key-ring.ts';
import { createAlsDecoder } from '@picket/analyzer/ingest/als-decoder.ts';
import { countDrops } from '@picket/analyzer/ingest/als-drops.ts';
import { readAlsEnvelope } from '@picket/analyzer/ingest/als-envelope.ts';
import { createSourceClocks } from '@picket/analyzer/ingest/clock-skew.ts';
import { createInFlight } from '@picket/analyzer/ingest/in-flight.ts';
import { createWireReader } from '@picket/analyzer/ingest/wire-reader.ts';
import { F, ObservationBatch, STRIDE } from '@picket/analyzer/observation.ts';
import { createOperationRegistry } from '@picket/analyzer/operations/registry.ts';
import { encodeObservationRows } from '@picket/analyzer/store/observation-row.ts';
import { CompiledPolicySchema, FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createLedger } from '@picket/runtime/ledger.ts';
import { splitObservationRows } from '../../support/observations.ts';
import { type FuzzTarget, must } from '../fuzz.ts';
import { alsMessages, wirePieces } from './als.ts';

export function identifyTarget(): FuzzTarget {
  const ledger = createLedger();
  const operations = createOperationRegistry();
  const identifier = createIdentifier({
    keys: createKeyRing((n) => new Uint8Array(n).fill(7), 0),
    operations,
    escrow: createEscrow(),
    ledger,
  });
  identifier.setPolicies([policy()]);
  const inFlight = createInFlight({ ledger, apiOf: identifier.apiOf, maxRequests: 64 });
  const clocks = createSourceClocks();
  const decoder = createAlsDecoder();
  const reader = createWireReader();
  let batch = new ObservationBatch(64);
  let taken = 0;
  let arrivedAt = 1_790_000_000_500;
  return {
    seeds: alsMessages(),
    dictionary: [
      ...wirePieces,
      '/v1/',
      '%2e%2e/',
      '%00',
      '\\',
      '?',
      '#',
      ';',
      'sid=',
      'Bearer ',
      '.e30.',
      '{id}',
      '::ffff:',
      '\u{1f600}',
    ],
    check(input) {
      ledger.received('als', readAlsEnvelope(reader, input).entries);
      arrivedAt += 1;
      const finished = (record: Parameters<typeof identifier.identify>[0]): void => {
        inFlight.finished(record);
        const duration = Number.isNaN(record.durationMs) ? 0 : record.durationMs;
        const { eventAtMs, adjusted } = clocks.place(record.source, record.startedAtMs + duration, arrivedAt);
        must(Number.isFinite(eventAtMs), `an event was placed at ${eventAtMs}`);
        if (identifier.identify(record, batch, eventAtMs, adjusted ? 1 : 0) === undefined) taken++;
      };
      const sink = { finished, periodic: inFlight.progress };
      countDrops(ledger, decoder.decode(input, { source: `envoy-${input.length % 7}` }, arrivedAt, sink));
      const { received, dropped, held } = ledger.snapshot();
      must(
        received === taken + dropped + held,
        `${received} received, ${taken} taken, ${dropped} dropped and ${held} held`,
      );
      if (batch.length > 0) checkRows(batch);
      batch.clear();
      // One absurd message may have grown it.
      if (batch.u32.length > 4096 * STRIDE) batch = new ObservationBatch(64);
    },
  };
}

function checkRows(batch: ObservationBatch): void {
  const rows = Array.from({ length: batch.length }, (_, index) => {
    batch.f64[(index * STRIDE + F.seq) >> 1] = index + 1;
    return { batch, index, api: 'shop/shop', method: 'GET', template: '/v1/{id}' };
  });
  const written = splitObservationRows(encodeObservationRows(rows));
  must(written.length === batch.length, `${batch.length} rows became ${written.length}`);
}

function policy(): ReturnType<typeof create<typeof CompiledPolicySchema>> {
  return create(CompiledPolicySchema, {
    api: 'shop/shop',
    hosts: ['*'],
    pathPrefix: '',
    principals: [
      {
        kind: PrincipalKind.USER,
        from: { case: 'dynamicMetadata', value: { namespace: 'envoy.filters.http.jwt_authn', path: 'payload/sub' } },
        enforceAs: { case: 'value', value: true },
      },
      { kind: PrincipalKind.TOKEN, from: { case: 'header', value: 'authorization' } },
      {
        kind: PrincipalKind.APP,
        from: { case: 'header', value: 'x-api-key' },
        enforceAs: { case: 'prefix', value: 4 },
      },
      { kind: PrincipalKind.SESSION, from: { case: 'cookie', value: 'sid' } },
    ],
    flows: [
      {
        name: 'login',
        type: FlowType.LOGIN,
        method: 'POST',
        path: '/v1/login',
        account: { from: { case: 'requestField', value: '/username' } },
        success: [{ all: [{ test: { case: 'responseField', value: { pointer: '/ok', equalsJson: 'true' } } }] }],
      },
    ],
    objects: [{ method: '', path: '/v1/orders/{id}/**', variable: 'id', kind: 'Order' }],
  });
}
