import type {
  BehaviorPolicy,
  PolicyExemption,
  ProtectedAPI,
  ReputationFeed,
  RiskVerdict,
} from '@picket/crds/gen/types.ts';
import { describe, expect, test } from 'vitest';
import type { DecisionStanding } from '../envoy/fleet.ts';
import type { BehaviorPolicyFacts } from './behavior-policy/gather.ts';
import { decide as decideBehaviorPolicy } from './behavior-policy/decide.ts';
import { decide as decidePolicyExemption } from './policy-exemption/decide.ts';
import { decide as decideProtectedApi } from './protected-api/decide.ts';
import type { ProtectedApiFacts } from './protected-api/gather.ts';
import { decide as decideReputationFeed } from './reputation-feed/decide.ts';
import { decide as decideRiskVerdict } from './risk-verdict/decide.ts';
import { buildConditions, saysAlready } from './conditions.ts';

const now = Date.parse('2026-02-03T04:05:06Z');
const metadata = {
  name: 'payments',
  namespace: 'shop',
  uid: 'uid-1',
  generation: 3,
  resourceVersion: '7',
  creationTimestamp: '2026-01-01T00:00:00Z',
};
const apiVersion = 'picket.dev/v1alpha1' as const;

const api: ProtectedAPI = {
  apiVersion,
  kind: 'ProtectedAPI',
  metadata,
  spec: { hosts: ['pay.example'], pathPrefix: '/v1', criticality: 'High' },
};

function apiFacts(fields: Partial<ProtectedApiFacts> = {}): ProtectedApiFacts {
  return {
    api,
    fleet: 'shop',
    hosts: ['pay.example'],
    lost: [],
    ungranted: undefined,
    targetProblems: [],
    contract: undefined,
    behavior: undefined,
    exemptions: [],
    reputation: [],
    previous: undefined,
    programming: {
      revision: '',
      programmedEnvoys: 0,
      totalEnvoys: 0,
      problem: { reason: 'NoEnvoys', message: 'none' },
    },
    enforcement: { active: 0, programmedEnvoys: 0, totalEnvoys: 0 },
    ...fields,
  };
}

function states(conditions: { type: string; status: string; reason: string }[] | undefined): Record<string, string> {
  return Object.fromEntries((conditions ?? []).map((c) => [c.type, `${c.status} ${c.reason}`]));
}

describe('an API', () => {
  test('is programmed only when every Envoy acknowledged the revision that is in force', () => {
    const { policy, status } = decideProtectedApi(apiFacts(), now);
    expect(states(status.conditions)).toEqual({
      Accepted: 'True Accepted',
      ResolvedRefs: 'True ResolvedRefs',
      Programmed: 'False NoEnvoys',
      Ready: 'False NoEnvoys',
    });
    const programming = { programmedEnvoys: 2, totalEnvoys: 2, problem: undefined };
    const stale = decideProtectedApi(apiFacts({ programming: { ...programming, revision: 'old' } }), now);
    expect(states(stale.status.conditions)['Programmed']).toBe('False Pending');
    const done = decideProtectedApi(
      apiFacts({ programming: { ...programming, revision: policy?.revision ?? '' }, previous: policy }),
      now,
    );
    expect(states(done.status.conditions)['Programmed']).toBe('True Acknowledged');
    expect(states(done.status.conditions)['Ready']).toBe('False NoTraffic');
    expect(done.policy).toBeUndefined();
  });

  test('that lost its host to an older one keeps what it had and names the winner', () => {
    const { policy: previous } = decideProtectedApi(apiFacts(), now);
    const lost = [{ host: 'pay.example', winner: 'shop/older' }];
    const plan = decideProtectedApi(apiFacts({ hosts: [], lost, previous }), now);
    expect(plan.policy).toBeUndefined();
    expect(plan.inForce).toBe(previous);
    const accepted = plan.status.conditions?.find((c) => c.type === 'Accepted');
    expect(accepted).toMatchObject({ status: 'False', reason: 'HostConflict' });
    expect(accepted?.message).toContain('pay.example/v1 belongs to ProtectedAPI shop/older');
  });

  test('with a missing contract is compiled without it and says what to create', () => {
    const contract = { problem: { reason: 'ContractNotFound' as const, message: 'spec.contract: none' } };
    const plan = decideProtectedApi(apiFacts({ contract }), now);
    expect(plan.policy).toBeDefined();
    expect(states(plan.status.conditions)['ResolvedRefs']).toBe('False ContractNotFound');
  });
});

describe('a policy', () => {
  const policy: BehaviorPolicy = {
    apiVersion,
    kind: 'BehaviorPolicy',
    metadata: { ...metadata, name: 'strict' },
    spec: {
      targetRefs: [{ kind: 'ProtectedAPI', name: 'payments', group: 'picket.dev' }],
      mode: 'Enforce',
      falseAlertBudget: { perDay: 2 },
      responses: [{ level: 'Critical', action: 'Deny', for: '15m', flows: ['login'] }],
      actOn: ['User'],
      safety: { maxShareOfPrincipals: '1%', maxShareOfRequests: '2%', minBaseline: '24h', maxPrincipalsPerAddress: 5 },
      failure: 'Open',
    },
  };
  const target: BehaviorPolicyFacts['targets'][number] = {
    api: 'payments',
    exists: true,
    flows: ['login'],
    beatenBecause: undefined,
    decisions: [],
  };
  const standing = (problem: DecisionStanding['problem']): DecisionStanding => ({
    id: 'dec-1',
    api: 'shop/payments',
    verdict: 'v',
    policy: 'shop/strict',
    programmedEnvoys: problem ? 0 : 1,
    totalEnvoys: 1,
    programmedAtMs: problem ? undefined : now,
    problem,
  });
  const conditionsOf = (facts: Partial<BehaviorPolicyFacts>) =>
    states(decideBehaviorPolicy({ policy, targets: [target], envoys: 1, ...facts }, now).conditions);

  test('is enforced when every decision of its own was acknowledged', () => {
    const done = { ...target, decisions: [standing(undefined)] };
    expect(conditionsOf({ targets: [done] })).toEqual({
      Accepted: 'True Accepted',
      Attached: 'True Attached',
      Programmed: 'True Acknowledged',
      Enforced: 'True Acknowledged',
      Ready: 'True Ready',
    });
    const full = { ...target, decisions: [standing(undefined), standing({ reason: 'Capacity', message: 'full' })] };
    expect(conditionsOf({ targets: [full] })).toMatchObject({
      Programmed: 'False Capacity',
      Enforced: 'False Capacity',
    });
    expect(conditionsOf({ envoys: 0 })).toMatchObject({ Programmed: 'False NoEnvoys', Enforced: 'False NoEnvoys' });
  });

  test('in a dry run is never called enforced, and observing programs nothing', () => {
    const done = { ...target, decisions: [standing(undefined)] };
    const inMode = (mode: 'DryRun' | 'Observe') =>
      conditionsOf({ policy: { ...policy, spec: { ...policy.spec, mode } }, targets: [done] });
    expect(inMode('DryRun')).toMatchObject({ Programmed: 'True Acknowledged', Enforced: 'False DryRun' });
    expect(inMode('Observe')).toMatchObject({ Programmed: 'True Observe', Enforced: 'False Observe' });
  });

  test('that was beaten or aims at nothing says so', () => {
    const beaten = {
      ...target,
      beatenBecause: 'BehaviorPolicy shop/other applies to shop/payments as well and is older',
    };
    expect(conditionsOf({ targets: [beaten] })).toMatchObject({
      Attached: 'False Conflicted',
      Enforced: 'False NotAttached',
    });
    expect(conditionsOf({ targets: [{ ...target, exists: false }] })['Attached']).toBe('False TargetNotFound');
    expect(conditionsOf({ targets: [{ ...target, flows: [] }] })['Accepted']).toBe('False UnknownFlow');
  });
});

test('a verdict shows what Envoys acknowledged of its decision', () => {
  const verdict: RiskVerdict = {
    apiVersion,
    kind: 'RiskVerdict',
    metadata,
    spec: { apiRef: { name: 'payments' }, principal: { kind: 'User', pseudonym: 'ab' } },
  };
  const decision: DecisionStanding = {
    id: 'dec-1',
    api: 'shop/payments',
    verdict: 'payments',
    policy: 'shop/strict',
    programmedEnvoys: 2,
    totalEnvoys: 2,
    programmedAtMs: now,
    problem: undefined,
  };
  const status = decideRiskVerdict({ verdict, decision }, now);
  expect(status.enforcement).toEqual({ programmedEnvoys: 2, totalEnvoys: 2, programmedAt: '2026-02-03T04:05:06.000Z' });
  expect(states(status.conditions)).toEqual({ Programmed: 'True Acknowledged' });
  expect(states(decideRiskVerdict({ verdict, decision: undefined }, now).conditions)).toEqual({
    Programmed: 'False NoDecision',
  });
});

test('an exemption ends at its time and is looked at again then', () => {
  const exemption: PolicyExemption = {
    apiVersion,
    kind: 'PolicyExemption',
    metadata,
    spec: {
      subjects: [{ cidr: '192.0.2.0/24' }],
      reason: 'load test',
      owner: 'ops',
      expiresAt: '2026-02-03T05:00:00Z',
    },
  };
  const before = decidePolicyExemption({ exemption, missingApis: [] }, now);
  expect(states(before.status.conditions)).toMatchObject({ Accepted: 'True Accepted', Expired: 'False InForce' });
  expect(before.againAt).toBe(Date.parse('2026-02-03T05:00:00Z'));
  const after = decidePolicyExemption({ exemption, missingApis: ['gone'] }, now + 3_600_000);
  expect(states(after.status.conditions)).toMatchObject({ Accepted: 'False TargetNotFound', Expired: 'True Expired' });
});

test('a list that can no longer be read stays for its time to live', () => {
  const feed: ReputationFeed = {
    apiVersion,
    kind: 'ReputationFeed',
    metadata,
    spec: {
      source: { configMapKeyRef: { name: 'bad', key: 'list' } },
      format: 'Plain',
      kind: 'Address',
      weight: 0.5,
      ttl: '1h',
    },
  };
  const first = decideReputationFeed({ feed, content: { text: '192.0.2.1\n' }, previous: undefined }, now);
  expect(first.status).toMatchObject({ entries: 1, skipped: 0, lastError: '' });
  const gone = { reason: 'SourceNotFound' as const, message: 'spec.source: none' };
  const later = decideReputationFeed({ feed, content: gone, previous: first.loaded }, now + 60_000);
  expect(later.loaded).toBe(first.loaded);
  expect(states(later.status.conditions)).toMatchObject({ Accepted: 'True Accepted', Loaded: 'False SourceNotFound' });
  expect(later.againAt).toBe(now + 3_600_000);
  const over = decideReputationFeed({ feed, content: gone, previous: first.loaded }, now + 3_600_000);
  expect(over.loaded).toBeUndefined();
});

/** Health as Argo CD and Flux compute it from any object, by the rules of kstatus for kinds it does not know. */
function kstatus(object: {
  metadata: { generation: number };
  status?: { observedGeneration?: number; conditions?: { type: string; status: string }[] };
}): 'Current' | 'InProgress' {
  if (object.status?.observedGeneration !== object.metadata.generation) return 'InProgress';
  const ready = object.status.conditions?.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True' ? 'Current' : 'InProgress';
}

test('health follows from kstatus alone: what is valid and applies is Current, what is not is InProgress', () => {
  const exemption: PolicyExemption = {
    apiVersion,
    kind: 'PolicyExemption',
    metadata,
    spec: { subjects: [{ cidr: '192.0.2.0/24' }], reason: 'r', owner: 'o', expiresAt: '2026-02-03T05:00:00Z' },
  };
  const exempt = (missingApis: string[]) => ({
    ...exemption,
    status: decidePolicyExemption({ exemption, missingApis }, now).status,
  });
  expect(kstatus(exempt([]))).toBe('Current');
  expect(kstatus(exempt(['gone']))).toBe('InProgress');
  const observing = {
    type: 'Observing',
    status: 'True',
    reason: 'Observing',
    message: '',
    observedGeneration: 3,
  } as const;
  const conditions = [{ ...observing, lastTransitionTime: new Date(now).toISOString() }];
  const watched = (fields: Partial<ProtectedApiFacts>) => {
    const facts = apiFacts({ api: { ...api, status: { conditions } }, ...fields });
    return { ...api, status: decideProtectedApi(facts, now).status };
  };
  const revision = decideProtectedApi(apiFacts(), now).policy?.revision ?? '';
  const programming = { revision, programmedEnvoys: 1, totalEnvoys: 1, problem: undefined };
  expect(kstatus(watched({ programming }))).toBe('Current');
  expect(kstatus(watched({}))).toBe('InProgress');
  expect(kstatus({ ...watched({ programming }), metadata: { ...metadata, generation: 4 } })).toBe('InProgress');
});

test('a condition keeps the time of its transition, and equal status is not written again', () => {
  const claim = { type: 'Ready', status: 'True' as const, reason: 'A', message: 'a' };
  const [first] = buildConditions([claim], undefined, 1, now);
  const again = buildConditions([{ ...claim, reason: 'B' }], first && [first], 2, now + 5_000);
  expect(again[0]).toMatchObject({ reason: 'B', lastTransitionTime: first?.lastTransitionTime });
  const turned = buildConditions([{ ...claim, status: 'False' }], again, 2, now + 9_000);
  expect(turned[0]?.lastTransitionTime).not.toBe(first?.lastTransitionTime);
  const foreign = { ...claim, type: 'Observing' };
  expect(saysAlready({ conditions: [foreign, first] }, { conditions: [first] })).toBe(true);
  expect(saysAlready({ conditions: [foreign] }, { conditions: [first] })).toBe(false);
  expect(saysAlready(undefined, { a: 1 })).toBe(false);
});
