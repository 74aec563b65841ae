/** Cost of identification and operation resolution per entry, on one core. */
import { create } from '@bufbuild/protobuf';
import { createEscrow } from '@picket/analyzer/identify/escrow.ts';
import { createIdentifier } from '@picket/analyzer/identify/identifier.ts';
import { createKeyRing } from '@picket/analyzer/identify/key-ring.ts';
import { type AccessRecord, createAccessRecord } from '@picket/analyzer/ingest/access-record.ts';
import { ObservationBatch } from '@picket/analyzer/observation.ts';
import { createOperationRegistry } from '@picket/analyzer/operations/registry.ts';
import { CompiledPolicySchema, FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createLedger } from '@picket/runtime/ledger.ts';

export interface IdentifyFigures {
  entries: number;
  microsecondsPerEntry: number;
  entriesPerSecond: number;
  /** The same with every address, token and path seen for the first time. */
  coldMicrosecondsPerEntry: number;
  operations: number;
}

/** @param elapsed milliseconds from any start. */
export function runIdentify(elapsed: () => number, entries = 300_000): IdentifyFigures {
  const operations = createOperationRegistry();
  const identifier = createIdentifier({
    keys: createKeyRing((n) => new Uint8Array(n).fill(7), 0),
    operations,
    escrow: createEscrow(),
    ledger: createLedger(),
  });
  identifier.setPolicies([
    create(CompiledPolicySchema, {
      api: 'shop/shop',
      hosts: ['shop.example.com'],
      principals: [
        {
          kind: PrincipalKind.USER,
          from: {
            case: 'dynamicMetadata',
            value: { namespace: 'envoy.filters.http.jwt_authn', path: 'payload/sub' },
          },
          enforceAs: { case: 'value', value: true },
        },
        { kind: PrincipalKind.TOKEN, from: { case: 'header', value: 'authorization' } },
        { kind: PrincipalKind.SESSION, from: { case: 'cookie', value: 'sid' } },
      ],
      flows: [{ name: 'login', type: FlowType.LOGIN, method: 'POST', path: '/login' }],
      objects: [{ method: '', path: '/orders/{id}/**', variable: 'id', kind: 'Order' }],
    }),
  ]);
  const warm = buildEntries(20_000, 0);
  const batch = new ObservationBatch(512);
  const pass = (from: readonly AccessRecord[], count: number): number => {
    const start = elapsed();
    for (let i = 0; i < count; i++) {
      if (batch.length === 512) batch.clear();
      identifier.identify(from[i % from.length] as AccessRecord, batch, 1_700_000_000_000 + i, 0);
    }
    return ((elapsed() - start) * 1000) / count;
  };
  pass(warm, 60_000);
  const microsecondsPerEntry = pass(warm, entries);
  const cold = buildEntries(60_000, 1_000_000);
  const coldMicrosecondsPerEntry = pass(cold, cold.length);
  return {
    entries,
    microsecondsPerEntry: round(microsecondsPerEntry),
    entriesPerSecond: Math.round(1e6 / microsecondsPerEntry),
    coldMicrosecondsPerEntry: round(coldMicrosecondsPerEntry),
    operations: operations.list('shop/shop').length,
  };
}

function buildEntries(count: number, from: number): AccessRecord[] {
  const paths = [
    (i: number) => `/products/${1000 + (i % 3000)}`,
    (i: number) => `/orders/${50_000 + i}`,
    () => '/cart',
    (i: number) => `/search?q=shoes+${i % 500}&sort=asc`,
    (i: number) => `/assets/app.${(i % 7).toString(16)}f3a9c.js`,
    (i: number) => `/users/user${i % 900}/reviews`,
    () => '/',
  ];
  const logged = new Set(['cookie', 'accept', 'accept-language', 'referer']);
  return Array.from({ length: count }, (_, index) => {
    const i = index + from;
    const person = from === 0 ? i % 4000 : i;
    const record = createAccessRecord('als', `envoy-${i % 3}`);
    record.method = 'GET';
    record.authority = 'shop.example.com';
    record.path = (paths[i % paths.length] as (i: number) => string)(i);
    record.status = i % 50 === 0 ? 404 : 200;
    record.remoteAddress = `10.${(person >> 16) & 255}.${(person >> 8) & 255}.${person & 255}`;
    record.userAgent = `Mozilla/5.0 (X11; Linux x86_64; rv:1${person % 40}.0) Gecko/20100101 Firefox/1${person % 40}.0`;
    record.ja4 = `t13d1516h2_8daaf6152771_b0da82dd${(person % 90).toString().padStart(4, '0')}`;
    record.requestHeaders.set('authorization', `Bearer ${`eyJhbGciOiJSUzI1NiJ9.${person}`.padEnd(420, 'x')}`);
    record.requestHeaders.set('cookie', `theme=dark; sid=${person.toString(36).padStart(26, 's')}; lang=en`);
    record.requestHeaders.set('accept', '*/*');
    record.responseBytes = 1000 + (i % 700);
    record.durationMs = 12;
    const sub = `user-${person}`;
    record.metadata = (namespace) => (namespace === 'envoy.filters.http.jwt_authn' ? sub : undefined);
    record.loggedRequestHeaders = logged;
    return record;
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
