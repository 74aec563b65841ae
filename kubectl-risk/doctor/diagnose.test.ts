import { expect, it } from 'vitest';
import { kinds } from '@picket/crds/kinds/kinds.ts';
import { paintFor } from '../paint.ts';
import { diagnose } from './diagnose.ts';
import { renderChecks } from './doctor.ts';
import type { CrdFact, Facts, ObjectFact, PodFact, WorkloadFact } from './facts.ts';

const now = Date.parse('2026-03-01T12:00:00Z');
const minutes = 60_000;

function crd(kind: string, present?: CrdFact['present']): CrdFact {
  return { kind, name: `${kind.toLowerCase()}s.picket.dev`, wanted: 'abc', ...(present ? { present } : {}) };
}
const served = { established: true, digest: 'abc', why: undefined };

function pod(name: string, facts: Partial<PodFact> = {}): PodFact {
  return { name, ready: true, restarts: 0, reason: undefined, message: undefined, ...facts };
}

function workload(component: string, facts: Partial<WorkloadFact> = {}): WorkloadFact {
  return {
    component,
    namespace: 'picket',
    name: `picket-${component}`,
    wanted: 1,
    ready: 1,
    image: `picket-${component}:0.1.0`,
    pods: [pod(`picket-${component}-0`)],
    health: { value: { ready: true, checks: [{ name: 'NATS', result: 'ok', message: 'connected' }] } },
    ...facts,
  };
}

function object(kind: string, states: Record<string, 'True' | 'False' | 'Unknown'>, facts: Partial<ObjectFact> = {}) {
  return {
    kind,
    namespace: 'shop',
    name: 'payments',
    generation: 2,
    ageMs: 10 * minutes,
    conditions: Object.entries(states).map(([type, status]) => ({
      type,
      status,
      reason: `${type}${status}`,
      message: `about ${type}`,
      observedGeneration: 2,
      lastTransitionTime: '2026-03-01T11:00:00Z',
    })),
    ...facts,
  } satisfies ObjectFact;
}

const api = object('ProtectedAPI', { Accepted: 'True', ResolvedRefs: 'True', Programmed: 'True', Observing: 'True' });
const policy = object('BehaviorPolicy', { Accepted: 'True', Attached: 'True', Programmed: 'True' });

function world(facts: Partial<Facts> = {}): Facts {
  return {
    context: 'test',
    server: 'https://kubernetes',
    version: { value: 'v1.36.3' },
    crds: { value: kinds.map(({ kind }) => crd(kind, served)) },
    rights: { value: [{ purpose: 'read verdicts', verb: 'list', resource: 'riskverdicts', allowed: true }] },
    workloads: { value: [workload('operator'), workload('analyzer')] },
    objects: { value: [api, policy] },
    now,
    ...facts,
  };
}

function wrong(facts: Partial<Facts>): string {
  return diagnose(world(facts))
    .filter(({ result }) => result !== 'ok')
    .map(({ result, message, fix }) => `${result}: ${message}${fix ? ` → ${fix}` : ''}`)
    .join('\n');
}

it('finds nothing where nothing is wrong', () => {
  expect(wrong({})).toBe('');
  expect(renderChecks(diagnose(world()), paintFor(false)).trimEnd().split('\n').at(-1)).toBe('nothing to fix');
});

it('says what a person may not see, and goes on', () => {
  const text = wrong({ workloads: { refused: 'deployments.apps is forbidden' } });
  expect(text).toBe('skipped: could not be looked at: deployments.apps is forbidden');
});

it.each<[string, Partial<Facts>, RegExp]>([
  ['an old cluster', { version: { value: 'v1.27.9' } }, /failure: .*too old → upgrade to 1\.29/],
  [
    'no kinds',
    { crds: { value: kinds.map(({ kind }) => crd(kind)) } },
    /failure: the kinds .* not installed → helm upgrade --install picket-crds/,
  ],
  ['one kind missing', { crds: { value: [crd('A', served), crd('B')] } }, /^failure: bs\.picket\.dev is missing/],
  [
    'kinds of another version',
    { crds: { value: [crd('A', { ...served, digest: 'old' })] } },
    /warning: as\.picket\.dev is of another version/,
  ],
  [
    'a kind that is not served',
    { crds: { value: [crd('A', { ...served, established: false, why: 'names clash' })] } },
    /not served: names clash/,
  ],
  [
    'a missing right',
    { rights: { value: [{ purpose: 'review verdicts', verb: 'patch', resource: 'riskverdicts', allowed: false }] } },
    /warning: you may not review verdicts → ask for the verb patch on riskverdicts/,
  ],
  ['nothing installed', { workloads: { value: [] } }, /no operator and no analyzer .* → helm install/],
  ['half installed', { workloads: { value: [workload('operator')] } }, /failure: no analyzer is installed/],
  [
    'an image that cannot be pulled',
    {
      workloads: {
        value: [
          workload('operator'),
          workload('analyzer', {
            ready: 0,
            pods: [pod('a-0', { ready: false, reason: 'ImagePullBackOff', message: 'not found' })],
          }),
        ],
      },
    },
    /0 of 1 ready: ImagePullBackOff: not found → the image cannot be pulled: set analyzer\.image/,
  ],
  [
    'a process that ends, with its last words',
    {
      workloads: {
        value: [
          workload('operator', {
            ready: 0,
            pods: [
              pod('o-0', {
                ready: false,
                restarts: 4,
                reason: 'Error',
                message: 'x\npicket-operator: --nats-url: nobody answers\n',
              }),
            ],
          }),
          workload('analyzer'),
        ],
      },
    },
    /Error: picket-operator: --nats-url: nobody answers → kubectl logs -n picket o-0 --previous/,
  ],
  [
    'a replica that is away',
    { workloads: { value: [workload('operator', { wanted: 2 }), workload('analyzer')] } },
    /^warning: operator picket\/picket-operator: 1 of 2 ready/,
  ],
  [
    'a neighbour that does not answer',
    {
      workloads: {
        value: [
          workload('operator'),
          workload('analyzer', {
            health: {
              value: {
                ready: true,
                checks: [{ name: 'store', result: 'failure', message: 'has taken nothing for 5m' }],
              },
            },
          }),
        ],
      },
    },
    /failure: analyzer, store: has taken nothing for 5m → see that store\.url/,
  ],
  ['no API', { objects: { value: [policy] } }, /warning: no ProtectedAPI/],
  ['no policy', { objects: { value: [api] } }, /warning: no BehaviorPolicy.* → apply one in mode DryRun/],
  [
    'objects that nobody looks at',
    { objects: { value: [object('ProtectedAPI', {}), policy] } },
    /failure: no operator has looked at ProtectedAPI shop\/payments/,
  ],
  [
    'objects of a moment ago',
    { objects: { value: [object('ProtectedAPI', {}, { ageMs: 1000 }), policy] } },
    /^warning: .* yet$/,
  ],
  [
    'a refused object',
    { objects: { value: [api, object('BehaviorPolicy', { Accepted: 'False' })] } },
    /failure: BehaviorPolicy shop\/payments: Accepted is False \(AcceptedFalse\): about Accepted/,
  ],
  [
    'Envoys that do not acknowledge',
    { objects: { value: [{ ...api, envoys: { programmed: 1, total: 2 } }, policy] } },
    /1 of 2 Envoys have acknowledged/,
  ],
  [
    'requests that were not seen',
    { objects: { value: [{ ...api, completeness: 0.9 }, policy] } },
    /90\.0 % of requests were seen/,
  ],
  [
    'an exemption that ends soon',
    {
      objects: {
        value: [api, policy, object('PolicyExemption', { Accepted: 'True' }, { endsAt: now + 3 * 86_400_000 })],
      },
    },
    /ends in 3 days → renew/,
  ],
])('tells of %s', (_, facts, expected) => {
  expect(wrong(facts)).toMatch(expected);
});

it('says nothing of what an older spec was told', () => {
  const changed = { ...object('BehaviorPolicy', { Accepted: 'False' }), generation: 3 };
  expect(wrong({ objects: { value: [api, changed] } })).toMatch(/^warning: .* has not looked at the last change yet/);
});
