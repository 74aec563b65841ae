/**
 * From complete evidence to a refusal on an open connection: a whole Picket with its own Envoy and a real NATS, in which
 * other decisions are in force already. Attackers try leaked passwords until Envoy answers 403.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type Decision,
  DecisionSchema,
  type Predicate,
  PredicateSchema,
} from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, Level, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket, decisionKey, parseApiName } from '@picket/proto/subjects.ts';
import type { Bucket as BusBucket } from '@picket/runtime/bus/bus.ts';
import { connectNatsBus } from '@picket/runtime/bus/nats-bus.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { attacker, createStage } from '../e2e/stage.ts';
import { startNats } from '../support/nats.ts';
import type { Picket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { quantile } from './statistics.ts';

/** Milliseconds over all attackers. */
export interface Delay {
  median: number;
  p95: number;
  max: number;
}

export interface EnforcementFigures {
  attackers: number;
  /** Attackers that a decision on a campaign met; they have no evidence of their own. */
  byCampaign: number;
  evidenceToDecision: Delay;
  decisionToRefusal: Delay;
  evidenceToRefusal: Delay;
}

/** What is in force while the attackers come. */
interface Condition {
  identities: number;
  addresses: number;
  /** Further decisions each second, half on identities and half on addresses. */
  perSecond?: number;
  /** How long everything has been in force, milliseconds; what came at once moves through the layers for a while. */
  settleMs?: number;
}

const conditions: Readonly<Record<string, Condition>> = {
  none: { identities: 0, addresses: 0 },
  identities1000: { identities: 1_000, addresses: 0 },
  storm: { identities: 1_000, addresses: 0, perSecond: 100 },
  identities10000: { identities: 10_000, addresses: 0, settleMs: 45_000 },
  addresses100000: { identities: 10_000, addresses: 100_000, settleMs: 45_000 },
  steady: { identities: 10_000, addresses: 100_000, settleMs: 60_000 },
};

const fleet = 'standalone';
const atATime = 3;
const attemptEveryMs = 10;
/** An attacker who is not refused by then counts as this. */
const patienceMs = 60_000;
const forMs = 1_800_000;
const stormForMs = 20_000;

export async function runEnforcement(quick: boolean): Promise<Record<string, EnforcementFigures>> {
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const server = await startNats();
    closing.push(() => server.stop());
    const stage = await createStage('Enforce', {
      safety: '{ maxShareOfPrincipals: 100%, maxShareOfRequests: 100%, minBaseline: 1h }',
    });
    closing.push(() => stage.close());
    stage.write('api.yaml', api);
    const picket = await stage.start({ args: ['--nats-url', server.url, '--log-level', 'info'] });
    closing.push(() => picket.stop());
    const bus = await connectNatsBus({ servers: [server.url], onTrouble() {} });
    closing.push(() => bus.close());
    const bucket = await bus.bucket(Bucket.decisions);
    const decided = new Map<string, Decision>();
    const watching = await bucket.watch({
      onEntry(_, value) {
        const decision = value && fromBinary(DecisionSchema, value);
        const match = decision?.match[0]?.predicate;
        const address = match?.case === 'addresses' ? match.value.cidrs[0] : undefined;
        if (decision && address?.startsWith('127.')) decided.set(address.split('/')[0] as string, decision);
      },
      onSynced() {},
    });
    closing.push(() => watching.stop());
    const uid = (await picket.api('shop'))?.metadata.uid ?? '';
    const figures: Record<string, EnforcementFigures> = {};
    const held = { identities: 0, addresses: 0 };
    let next = 0;
    for (const [name, condition] of Object.entries(conditions)) {
      process.stderr.write(`enforcement: ${name}\n`);
      await fill(bucket, uid, held, condition);
      await waitFor(
        `${held.identities + held.addresses} decisions in Envoy`,
        async () => {
          const { envoys = [] } = await picket.status();
          return (envoys[0]?.decisions ?? 0) >= held.identities + held.addresses ? true : undefined;
        },
        { timeoutMs: 240_000, everyMs: 1_000, process: picket.process },
      );
      await sleep(condition.settleMs ?? 0);
      const storm = condition.perSecond === undefined ? undefined : startStorm(bucket, uid, condition.perSecond);
      figures[name] = await attack({ picket, decided, first: next, count: quick ? 9 : 40 });
      next += quick ? 9 : 40;
      process.stderr.write(`${JSON.stringify(figures[name])}\n`);
      await storm?.stop();
    }
    return figures;
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function attack(options: {
  picket: Picket;
  decided: ReadonlyMap<string, Decision>;
  first: number;
  count: number;
}): Promise<EnforcementFigures> {
  const { picket, decided, first, count } = options;
  const toDecision: number[] = [];
  const toRefusal: number[] = [];
  const whole: number[] = [];
  let byCampaign = 0;
  const waiting = Array.from(
    { length: count },
    (_, i) => `127.8${(first + i) % 10}.${(first + i) >> 2}.${10 + ((first + i) % 200)}`,
  );
  const loop = async (): Promise<void> => {
    for (let address = waiting.shift(); address !== undefined; address = waiting.shift()) {
      const refusedAt = await stuffUntilRefused(picket.ports.traffic, address);
      const decision = decided.get(address);
      if (!decision) {
        byCampaign++;
        continue;
      }
      const evidenceAt = Number(decision.evidenceCompleteAtMs);
      const decidedAt = Number(decision.decidedAtMs);
      toDecision.push(decidedAt - evidenceAt);
      toRefusal.push(refusedAt - decidedAt);
      whole.push(refusedAt - evidenceAt);
    }
  };
  await Promise.all(Array.from({ length: atATime }, loop));
  const delay = (values: number[]): Delay => ({
    median: Math.round(quantile(values, 0.5)),
    p95: Math.round(quantile(values, 0.95)),
    max: Math.round(Math.max(...values)),
  });
  return {
    attackers: count,
    byCampaign,
    evidenceToDecision: delay(toDecision),
    decisionToRefusal: delay(toRefusal),
    evidenceToRefusal: delay(whole),
  };
}

/** On connections that stay open; returns when the first 403 came, Unix ms. */
async function stuffUntilRefused(port: number, address: string): Promise<number> {
  const client = attacker(port, address);
  try {
    const until = Date.now() + patienceMs;
    for (let i = 0; Date.now() < until; i++) {
      if ((await client.login(`account-${address}-${i}`, 'leaked')) === 403) break;
      await sleep(attemptEveryMs);
    }
    return Date.now();
  } finally {
    client.close();
  }
}

async function fill(
  bucket: BusBucket,
  uid: string,
  held: { identities: number; addresses: number },
  want: Condition,
): Promise<void> {
  const puts: (() => Promise<void>)[] = [];
  for (; held.identities < want.identities; held.identities++) {
    const i = held.identities;
    puts.push(() => put(bucket, uid, `i${i}`, identity(`key-${i}`), forMs));
  }
  for (; held.addresses < want.addresses; held.addresses++) {
    const i = held.addresses;
    puts.push(() => put(bucket, uid, `a${i}`, address(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`), forMs));
  }
  const work = async (): Promise<void> => {
    for (let next = puts.pop(); next; next = puts.pop()) await next();
  };
  await Promise.all(Array.from({ length: 64 }, work));
}

function startStorm(bucket: BusBucket, uid: string, perSecond: number): { stop(): Promise<void> } {
  let sent = 0;
  const writing = new Set<Promise<void>>();
  const timer = setInterval(() => {
    for (let i = 0; i < perSecond / 20; i++, sent++) {
      const match = sent % 2 === 0 ? identity(`storm-${sent}`) : address(`10.99.${(sent >> 8) & 255}.${sent & 255}`);
      const one = put(bucket, uid, `s${sent}`, match, stormForMs).finally(() => writing.delete(one));
      writing.add(one);
    }
  }, 50);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(writing);
    },
  };
}

function put(bucket: BusBucket, apiUid: string, id: string, match: Predicate, ttlMs: number): Promise<void> {
  const kind = match.predicate.case === 'addresses' ? PrincipalKind.ADDRESS : PrincipalKind.APP;
  const pseudonym = Buffer.from(id).toString('hex').padStart(16, '0');
  const now = Date.now();
  const decision = create(DecisionSchema, {
    ...{ id: `dec-${id}`, fleet, api: 'default/shop', apiUid, policy: 'default/shop', verdict: `other-${id}` },
    ...{ kind, pseudonym, action: Action.DENY, mode: Mode.ENFORCE, level: Level.HIGH, score: 70, match: [match] },
    decidedAtMs: BigInt(now),
    expiresAtMs: BigInt(now + ttlMs),
  });
  const key = decisionKey({ fleet, ...parseApiName(decision.api), kind, pseudonym });
  return bucket.put(key, toBinary(DecisionSchema, decision), { ttlMs });
}

function identity(value: string): Predicate {
  return create(PredicateSchema, { predicate: { case: 'entity', value: { kind: PrincipalKind.APP, value } } });
}

function address(cidr: string): Predicate {
  return create(PredicateSchema, { predicate: { case: 'addresses', value: { cidrs: [cidr] } } });
}

const api = `apiVersion: picket.dev/v1alpha1
kind: ProtectedAPI
metadata: { name: shop, namespace: default }
spec:
  hosts: ["*"]
  pathPrefix: /v1
  identity:
    principals:
    - kind: App
      from: { header: { name: x-api-key } }
      enforceAs: { prefix: 16 }
  flows:
  - name: login
    type: Login
    match: { method: POST, path: /v1/login }
    account: { requestField: /username }
    success: { anyOf: [ { responseField: { pointer: /ok, equals: true } } ] }
`;
