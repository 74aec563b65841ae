import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import type { ApplyObject, ObjectKey, ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { DecisionSummary } from '../verdict.ts';
import { createPublisher } from './publisher.ts';
import { sampleVerdict } from './verdict-fixture.ts';

const startAt = 1_767_225_600_000;
const gone = new PicketError('Unavailable', 'the API server is away');
const decision: DecisionSummary = {
  id: 'd1',
  action: 4,
  mode: 3,
  decidedAt: startAt,
  expiresAt: startAt + 600_000,
  policy: 'shop/shop',
  policyRevision: 'r1',
  evidenceCompleteAt: startAt,
};

type Stored = StoredObject<unknown, Record<string, unknown>>;

/** An object store that goes away: before a write, or after it and before its answer. */
function openStore() {
  const present = new Map<string, Stored>();
  const writes: { at: number; what: string; key: string }[] = [];
  const state = { away: false, answers: true, refuse: (_key: string): PicketError | undefined => undefined };
  const time = { ms: 0 };
  const textOf = ({ kind, namespace, name }: ObjectKey): string => `${kind}/${namespace}/${name}`;
  const change = async (what: string, key: string, act: () => void): Promise<void> => {
    if (state.away && state.answers) throw gone;
    const refusal = state.refuse(key);
    if (refusal) throw refusal;
    act();
    writes.push({ at: time.ms, what, key });
    if (state.away) throw gone;
  };
  const read = <T>(value: T): Promise<T> => (state.away ? Promise.reject(gone) : Promise.resolve(value));
  const store = {
    list: (kind: string) => read([...present.values()].filter((object) => object.kind === kind)),
    get: (key: ObjectKey) => read(present.get(textOf(key))),
    async apply(object: ApplyObject) {
      const key = textOf({ kind: object.kind, ...object.metadata });
      const metadata = { generation: 1, resourceVersion: '1', uid: key, creationTimestamp: '', ...object.metadata };
      await change('apply', key, () => present.set(key, { ...object, metadata } as Stored));
      return present.get(key);
    },
    applyStatus: (key: ObjectKey, status: Record<string, unknown>) =>
      change('status', textOf(key), () => {
        const object = present.get(textOf(key));
        if (object) present.set(textOf(key), { ...object, status });
      }),
    delete: (key: ObjectKey) => change('delete', textOf(key), () => present.delete(textOf(key))),
    record: async () => {},
  } as unknown as ObjectStore;
  const put = (kind: string, name: string): void => {
    const metadata = { name, namespace: 'shop', generation: 1, resourceVersion: '1', uid: name, creationTimestamp: '' };
    present.set(`${kind}/shop/${name}`, { apiVersion: 'picket.dev/v1alpha1', kind, metadata, spec: {} });
  };
  const ledger = createLedger();
  const publisher = createPublisher({
    objects: store,
    bus: createMemoryBus(),
    clock: { now: () => startAt + time.ms, elapsed: () => time.ms },
    ledger,
    log: silentLogger,
  });
  /** Lets so much time pass, with a flush each 100 ms. */
  const pass = async (ms: number): Promise<void> => {
    for (const until = time.ms + ms; time.ms < until; time.ms += 100) await publisher.flush();
  };
  const statusOf = (kind: string, name: string) => present.get(`${kind}/shop/${name}`)?.status;
  return { state, put, present, writes, ledger, publisher, pass, statusOf };
}

const numbered = (n: number): string => `shop-shop-address-${String(n).padStart(16, '0')}`;

describe('what cannot be written', () => {
  it('is written later, whatever fails and changes meanwhile, and never faster than the bounds', async () => {
    const step = fc.record({
      verdicts: fc.array(fc.record({ n: fc.nat(5), score: fc.integer({ min: 60, max: 99 }) }), { maxLength: 3 }),
      risk: fc.option(fc.nat(1), { nil: undefined }),
      away: fc.boolean(),
      answers: fc.boolean(),
      ms: fc.integer({ min: 1, max: 40 }).map((n) => n * 100),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const { state, put, writes, publisher, pass, statusOf, ledger } = openStore();
        put('ProtectedAPI', 'shop');
        const scores = new Map<number, number>();
        let risk: number | undefined;
        for (const { verdicts, away, answers, ms, ...next } of steps) {
          Object.assign(state, { away, answers });
          for (const { n, score } of verdicts) {
            scores.set(n, score);
            publisher.verdict(sampleVerdict({ name: numbered(n), score, expiresAt: startAt + 10_000_000 }));
          }
          risk = next.risk ?? risk;
          if (risk !== undefined) publisher.status('ProtectedAPI', 'shop/shop', { status: { risk }, conditions: [] });
          await pass(ms);
        }
        state.away = false;
        await pass(130_000);
        for (const [n, score] of scores) expect(statusOf('RiskVerdict', numbered(n))).toMatchObject({ score });
        if (risk !== undefined) expect(statusOf('ProtectedAPI', 'shop')).toMatchObject({ risk });
        expect(publisher.stats()).toMatchObject({ waiting: 0, failing: 0, trouble: undefined });
        expect(ledger.snapshot().byReason).toEqual([]);
        const statuses = writes.filter(({ what }) => what === 'status');
        for (const [i, { at }] of statuses.entries())
          expect(at - (statuses[i - 20]?.at ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(900);
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  it('of one object holds up no other, and what can never be written is counted and left', async () => {
    const { state, put, publisher, pass, statusOf, ledger } = openStore();
    put('ProtectedAPI', 'shop');
    state.refuse = (key) =>
      key.endsWith(numbered(1))
        ? new PicketError('InvalidObject', 'no')
        : key.endsWith(numbered(2))
          ? new PicketError('PermissionDenied', 'no')
          : undefined;
    for (const n of [1, 2, 3]) publisher.verdict(sampleVerdict({ name: numbered(n) }));
    await pass(2_000);
    expect(statusOf('RiskVerdict', numbered(3))).toBeDefined();
    expect(ledger.snapshot().byReason).toEqual([{ stage: 'publish', reason: 'store_refused', count: 1 }]);
    expect(publisher.stats()).toMatchObject({ waiting: 1, failing: 1, trouble: 'no' });
    await publisher.close();
    expect(ledger.snapshot().byReason.at(-1)).toEqual({ stage: 'publish', reason: 'shutting_down', count: 1 });
  });

  it('is made again when a person deleted it', async () => {
    const { put, present, publisher, pass, statusOf } = openStore();
    put('ProtectedAPI', 'shop');
    publisher.verdict(sampleVerdict({ name: numbered(1) }));
    await pass(1_000);
    present.delete(`RiskVerdict/shop/${numbered(1)}`);
    publisher.verdict(sampleVerdict({ name: numbered(1), score: 95 }));
    await pass(6_000);
    expect(statusOf('RiskVerdict', numbered(1))).toMatchObject({ score: 95 });
  });
});

describe('bounds', () => {
  it('an attack by thousands leaves the API its status, and at most fifty objects: those that act, then the worst', async () => {
    const { put, present, writes, publisher, pass, statusOf } = openStore();
    put('ProtectedAPI', 'shop');
    for (let n = 0; n < 3_000; n++)
      publisher.verdict(
        sampleVerdict({
          name: numbered(n),
          score: 60 + (n % 40),
          expiresAt: startAt + 40_000_000,
          ...(n % 100 === 0 ? { decision } : {}),
        }),
      );
    publisher.status('ProtectedAPI', 'shop/shop', { status: { risk: 99 }, conditions: [] });
    await pass(1_000);
    expect(statusOf('ProtectedAPI', 'shop')).toEqual({ risk: 99, conditions: [] });
    await pass(120_000);
    const shown = [...present.values()].filter(({ kind }) => kind === 'RiskVerdict');
    expect(shown).toHaveLength(50);
    expect(shown.filter(({ status }) => status?.['decision'])).toHaveLength(30);
    expect(writes.length).toBeLessThan(400);
    // Over at once, deleted at a pace.
    publisher.forget('shop/shop');
    await pass(1_000);
    const left = [...present.values()].filter(({ kind }) => kind === 'RiskVerdict').length;
    expect(left).toBeGreaterThan(0);
    await pass(4_000);
    expect([...present.values()].filter(({ kind }) => kind === 'RiskVerdict')).toEqual([]);
  });

  it('a cluster has at most 2,000 objects, and whoever outranks the least takes its place', async () => {
    const { put, present, publisher, pass } = openStore();
    const apis = 50;
    for (let n = 0; n < apis; n++) put('ProtectedAPI', `api-${n}`);
    const say = (n: number, score: number, acts = false): void =>
      publisher.verdict(
        sampleVerdict({
          ...{ api: `shop/api-${n % apis}`, name: numbered(n), score, expiresAt: startAt + 40_000_000 },
          ...(acts ? { decision } : {}),
        }),
      );
    const shown = () => [...present.values()].filter(({ kind }) => kind === 'RiskVerdict');
    const shows = (n: number): boolean => present.has(`RiskVerdict/shop/${numbered(n)}`);
    // Of an earlier run: none of the APIs has fifty.
    for (let n = 0; n < 1_980; n++) {
      put('RiskVerdict', numbered(n));
      const object = present.get(`RiskVerdict/shop/${numbered(n)}`);
      const expiresAt = new Date(startAt + 40_000_000).toISOString();
      const acts = n % 10 === 0 ? { decision: {} } : {};
      if (object) {
        object.spec = { apiRef: { name: `api-${n % apis}` } };
        object.status = { score: 61 + (n % 30), expiresAt, ...acts };
      }
    }
    for (let n = 1_980; n < 2_040; n++) say(n, 60);
    let most = 0;
    for (let second = 0; second < 20; second++) {
      await pass(1_000);
      most = Math.max(most, shown().length);
    }
    expect(most).toBe(2_000);
    expect(shown()).toHaveLength(2_000);
    const idle = shown().filter(({ status }) => !status?.['decision']);
    const least = Math.min(...idle.map(({ status }) => Number(status?.['score'])));
    say(3_000, least + 4);
    say(3_001, least + 5);
    await pass(10_000);
    expect([shows(3_000), shows(3_001)]).toEqual([false, true]);
    say(3_002, 60, true);
    await pass(10_000);
    expect(shows(3_002)).toBe(true);
    expect(shown().filter(({ status }) => status?.['decision'])).toHaveLength(199);
    expect(shown()).toHaveLength(2_000);
  });

  it('figures are written once a minute and when one moved by a tenth; a condition at once', async () => {
    const { put, writes, publisher, pass } = openStore();
    put('ProtectedAPI', 'shop');
    const say = (rps: number, completeness: number, observing: 'True' | 'False') =>
      publisher.status('ProtectedAPI', 'shop/shop', {
        status: { risk: 1 },
        figures: { traffic: { rps, completeness } },
        columns: { rps: `${rps}` },
        conditions: [{ type: 'Observing', status: observing, reason: 'r', message: `${rps} requests` }],
      });
    const written = async (ms: number): Promise<number> => {
      const before = writes.length;
      await pass(ms);
      return writes.length - before;
    };
    say(100, 0.9999, 'False');
    expect(await written(500)).toBe(1);
    say(200, 0.9999, 'False');
    expect(await written(500)).toBe(0);
    say(200, 0.9999, 'True');
    expect(await written(500)).toBe(1);
    await pass(61_000);
    say(209, 0.9999, 'True');
    expect(await written(500)).toBe(0);
    say(209, 0.99, 'True');
    expect(await written(500)).toBe(1);
    await pass(61_000);
    say(300, 0.99, 'True');
    expect(await written(500)).toBe(1);
  });
});
