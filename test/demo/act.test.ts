import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import { describe, expect, test } from 'vitest';
import type { HttpReply } from '../support/http-client.ts';
import type { AttackFamily, Label, RequestEvent } from '../scenarios/request-event.ts';
import { type Act, resultOf, verdictOf } from './act.ts';
import { createTrafficLedger } from './ledger.ts';

const start = Date.UTC(2026, 0, 5, 12);

const act: Act = {
  family: 'tokenAbuse',
  title: 'a token',
  detectors: ['tokenAbuse'],
  stream: () => [].values(),
};

function event(label: Label, id = 'someone'): RequestEvent {
  const client = { address: '127.3.2.1', headers: {}, jar: { token: '', cookies: new Map<string, string>() } };
  return { at: start, actor: { id, label, persona: 'x' }, client, method: 'GET', path: '/', authorized: false };
}

function reply(status: number, byUpstream: boolean, requestId = 'r-1'): HttpReply {
  const headers: Record<string, string> = byUpstream
    ? { 'x-envoy-upstream-service-time': '3', 'x-request-id': requestId }
    : {};
  return { status, headers, body: '', tookMs: 10 };
}

function verdict(detector: string, action: 'Tag' | 'Deny', score: number, decidedAt = start): RiskVerdict {
  return {
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'RiskVerdict',
    metadata: {
      name: `${detector}-${score}`,
      namespace: 'default',
      uid: '',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: '',
    },
    spec: { apiRef: { name: 'shop' }, principal: { kind: 'Token', pseudonym: '0123456789abcdef' } },
    status: {
      score,
      evidence: { requestIds: ['r-0', 'r-1'] },
      findings: [{ detector, since: '', pValue: 1e-6, observed: 12, expected: 1.2, unit: 'networks' }],
      decision: {
        action,
        mode: 'Enforce',
        decidedAt: new Date(decidedAt).toISOString(),
        expiresAt: new Date(decidedAt + 900_000).toISOString(),
      },
    },
  };
}

function attemptsWith(family: AttackFamily, replies: { at: number; reply: HttpReply }[]) {
  const ledger = createTrafficLedger();
  for (const { at, reply } of replies) ledger.record(event(family), reply, at);
  return ledger.attempts(family);
}

describe('the verdict on an act', () => {
  test('is one of its own detectors, and one that acts goes before a higher score that does not', () => {
    const verdicts = [
      verdict('scraping', 'Deny', 99),
      verdict('tokenAbuse', 'Tag', 90),
      verdict('tokenAbuse', 'Deny', 80),
    ];
    const byAttacker = (): Label => 'tokenAbuse';
    expect(verdictOf(act, verdicts, byAttacker)?.metadata.name).toBe('tokenAbuse-80');
    expect(verdictOf(act, [verdict('scraping', 'Deny', 99)], byAttacker)).toBeUndefined();
  });

  test('rests on requests of the attack, and not on those of somebody else', () => {
    const ledger = createTrafficLedger();
    const verdicts = [verdict('tokenAbuse', 'Deny', 80)];
    expect(verdictOf(act, verdicts, ledger.authorOf)).toBeUndefined();
    expect(verdictOf({ ...act, startedAt: start }, verdicts, ledger.authorOf)).toBeDefined();
    ledger.record(event('benign'), reply(200, true, 'r-0'), start);
    expect(verdictOf({ ...act, startedAt: start }, verdicts, ledger.authorOf)).toBeUndefined();
    ledger.record(event('tokenAbuse'), reply(200, true, 'r-1'), start);
    expect(verdictOf(act, verdicts, ledger.authorOf)).toBeDefined();
  });
});

describe('the result of an act', () => {
  test('counts time from first abuse to verdict, and from complete evidence to the first refusal', () => {
    const attempts = attemptsWith('tokenAbuse', [
      { at: start, reply: reply(200, true) },
      { at: start + 1990, reply: reply(200, true) },
      { at: start + 2190, reply: reply(403, false) },
    ]);
    const result = resultOf(act, verdict('tokenAbuse', 'Deny', 80, start + 2100), attempts, start - 5000);
    expect(result.problem).toBeUndefined();
    expect(result.toVerdictSeconds).toBeCloseTo(2.1);
    expect(result.toRefusalSeconds).toBeCloseTo(0.2);
    expect(result.firstRefusalStatus).toBe(403);
  });

  test('names what did not happen', () => {
    const answered = attemptsWith('tokenAbuse', [{ at: start, reply: reply(200, true) }]);
    expect(resultOf(act, undefined, answered, start).problem).toBe('no verdict names it');
    const decided = verdict('tokenAbuse', 'Deny', 80, start + 100);
    expect(resultOf(act, decided, answered, start).problem).toBe('Envoy refused nothing');
    expect(resultOf(act, decided, [], start).problem).toBe('the attack sent nothing');
  });

  test('a refusal by the shop itself is none of Envoy', () => {
    const attempts = attemptsWith('tokenAbuse', [{ at: start, reply: reply(403, true) }]);
    expect(resultOf(act, verdict('tokenAbuse', 'Deny', 80), attempts, start).problem).toBe('Envoy refused nothing');
  });
});

test('an ordinary user who was refused is named', () => {
  const ledger = createTrafficLedger();
  ledger.record(event('benign', 'person/a'), reply(200, true), start);
  ledger.record(event('benign', 'person/b'), reply(429, false), start);
  expect(ledger.ordinary()).toMatchObject({ users: 2, requests: 2, refused: 1, refusedUsers: ['person/b'] });
});
