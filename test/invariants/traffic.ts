/**
 * Observations of a made-up shop from a seed: a day of ordinary callers, then attacks of every family among them.
 * Written straight into batches, so that a property test can run many seeds.
 */
import { create } from '@bufbuild/protobuf';
import { type Analysis, type AnalysisInput, type AnalysisOutcome, createAnalysis } from '@picket/analyzer/analysis.ts';
import type { MatchValues } from '@picket/analyzer/decide/match.ts';
import { Signal } from '@picket/analyzer/observation.ts';
import {
  Action,
  BehaviorSchema,
  type CompiledPolicy,
  CompiledPolicySchema,
  Level,
  Mode,
  ResponseSchema,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { type Described, describeObservation } from '../support/observation-builder.ts';
import { random32 } from '../support/observations.ts';

export const api = 'shop/shop';
export const dayStart = Date.UTC(2026, 2, 2);
const hourMs = 3_600_000;
const tickMs = 250;

export const policy: CompiledPolicy = create(CompiledPolicySchema, {
  api,
  apiUid: 'shop',
  fleet: 'test',
  revision: '1',
  behavior: create(BehaviorSchema, {
    policy: 'shop/policy',
    policyRevision: '1',
    mode: Mode.ENFORCE,
    responses: [
      create(ResponseSchema, { level: Level.ELEVATED, action: Action.TAG, forMs: 600_000n }),
      create(ResponseSchema, { level: Level.HIGH, action: Action.DENY, forMs: 600_000n }),
    ],
  }),
});

/** Every pseudonym can be named to Envoy, by itself. */
export const values: MatchValues = {
  keyOf: (_kind, pseudonym) => ({ ok: true, value: pseudonym, as: 'value' }),
  traitOf: (_trait, pseudonym) => pseudonym,
};

const browser = ['accept', 'accept-language', 'accept-encoding'];

/** In order of time. */
export function traffic(seed: number, options: { ordinary?: number; attacks?: boolean } = {}): Described[] {
  const next = random32(seed);
  const below = (n: number): number => next() % n;
  const share = (): number => next() / 2 ** 32;
  const list: Described[] = [];
  const ordinary = options.ordinary ?? 6000;
  for (let i = 0; i < ordinary; i++) {
    const user = below(200);
    const base = {
      at: dayStart + share() * 26 * hourMs,
      // Some households, one office.
      address: user < 40 ? '198.51.100.7' : `203.0.${user % 50}.${user}`,
      userAgent: `browser-${user % 7}`,
      headers: browser,
    };
    const kind = below(20);
    if (kind < 2) {
      list.push({ ...base, path: '/login', account: `user-${user}`, login: share() < 0.12 ? 'failure' : 'success' });
    } else if (kind < 5) {
      const value = `order-${user}-${below(4)}`;
      const caller = { user: `user-${user}`, token: `token-${user}` };
      list.push({ ...base, ...caller, operation: 'order', path: `/o/${value}`, object: { value } });
    } else {
      const caller = kind < 12 ? { user: `user-${user}` } : {};
      const status = share() < 0.02 ? 404 : 200;
      list.push({ ...base, ...caller, operation: 'product', path: `/p/${below(400)}`, status });
    }
  }
  if (options.attacks !== false) list.push(...attacks(dayStart + 25 * hourMs, below));
  return list.sort((a, b) => a.at - b.at);
}

function attacks(from: number, below: (n: number) => number): Described[] {
  const list: Described[] = [];
  const each = (count: number, everyMs: number, make: (i: number) => Omit<Described, 'at'>): void => {
    const start = from + below(20 * 60_000);
    for (let i = 0; i < count; i++) list.push({ at: start + i * everyMs + below(everyMs), ...make(i) });
  };
  const tool = { userAgent: 'tool', headers: ['accept'] };
  each(120, 1500, (i) => ({ ...tool, address: '192.0.2.1', path: '/login', account: `leak-${i}`, login: 'failure' }));
  each(60, 2000, () => ({ ...tool, address: '192.0.2.2', path: '/login', account: 'user-3', login: 'failure' }));
  each(250, 700, (i) => ({
    userAgent: 'browser-1',
    headers: ['accept'],
    address: `100.64.${i % 200}.${i}`,
    path: '/login',
    account: `leak-${i + 200}`,
    login: i % 80 === 0 ? 'success' : 'failure',
  }));
  each(150, 900, (i) => ({
    ...tool,
    address: '192.0.2.4',
    user: 'user-77',
    operation: 'order',
    path: `/o/${i}`,
    object: { value: `order-${i}-${below(4)}`, delta: 1 },
  }));
  each(400, 1000, (i) => ({ ...tool, address: '192.0.2.5', operation: 'product', path: `/p/${i}` }));
  each(40, 2000, (i) => ({
    userAgent: `browser-${i % 5}`,
    headers: browser,
    address: `192.168.${i}.1`,
    token: 'token-9',
    user: 'user-9',
    path: '/me',
  }));
  each(120, 400, (i) => ({
    ...tool,
    address: '192.0.2.7',
    path: `/.env${i}`,
    status: 404,
    signals: Signal.sensitiveFile,
  }));
  each(600, 60, () => ({ ...tool, address: '192.0.2.8', user: 'user-5', operation: 'search', path: '/search' }));
  // Logs in again and again, and reads other people's orders from each session.
  each(300, 1100, (i) => {
    const caller = { ...tool, address: `192.0.3.${i % 7}`, session: `mallory-${Math.floor(i / 60)}` };
    return i % 60 === 0
      ? { ...caller, path: '/login', account: 'mallory', login: 'success' }
      : { ...caller, operation: 'order', path: `/o/${i}`, object: { value: `order-${i % 200}-${below(4)}`, delta: 1 } };
  });
  return list;
}

export interface Run {
  analysis: Analysis;
  /** Runs a tick for each quarter of a second in which something was observed. */
  feed(observations: Iterable<Described>): Promise<AnalysisOutcome[]>;
}

/** @param prepare may change a record before it is accepted */
export function startRun(
  workers: number,
  from?: Analysis,
  prepare: (analysis: Analysis, base: number, at: number) => void = () => {},
): Run {
  const analysis = from ?? createAnalysis({ workers, valuesOf: () => values });
  return {
    analysis,
    async feed(observations) {
      const outcomes: AnalysisOutcome[] = [];
      let open = Number.NaN;
      const end = async (): Promise<void> => {
        const at = (open + 1) * tickMs;
        if (!Number.isNaN(open) && !analysis.idle(at)) outcomes.push(await analysis.run(analysis.closeTick(at)));
      };
      for (const observation of observations) {
        const tick = Math.floor(observation.at / tickMs);
        if (tick !== open) await end();
        open = tick;
        const { batch } = analysis.engine;
        const base = describeObservation(batch, observation);
        batch.requestIds[batch.length - 1] = `request-${observation.at}`;
        prepare(analysis, base, observation.at);
        analysis.accept(base);
      }
      await end();
      return outcomes;
    },
  };
}

/** A whole history in one go, the policy first. */
export async function play(
  workers: number,
  observations: Iterable<Described>,
  inputs: readonly AnalysisInput[] = [{ kind: 'policy', policy }],
): Promise<{ analysis: Analysis; outcomes: AnalysisOutcome[] }> {
  const { analysis, feed } = startRun(workers);
  for (const input of inputs) analysis.input(input);
  return { analysis, outcomes: await feed(observations) };
}
