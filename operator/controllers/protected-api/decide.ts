import type { Condition, ProtectedAPIStatus } from '@picket/crds/gen/types.ts';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { compilePolicy } from '../../compile/policy.ts';
import type { ReferenceProblem } from '../../compile/problem.ts';
import { buildConditions, type ConditionClaim } from '../conditions.ts';
import type { ProtectedApiFacts } from './gather.ts';

export interface ProtectedApiPlan {
  /** To publish; undefined keeps what is in force. */
  policy: CompiledPolicy | undefined;
  /** The policy that Envoys should know, new or kept; undefined when the API never had one. */
  inForce: CompiledPolicy | undefined;
  /** What was in force ends: the API has lost the right to it. */
  withdrawn: boolean;
  status: ProtectedAPIStatus;
}

/** What follows from the facts. A broken part never takes what works away. */
export function decide(facts: ProtectedApiFacts, now: number): ProtectedApiPlan {
  const { api } = facts;
  const accepted = acceptance(facts);
  const compiled =
    accepted.status === 'True'
      ? compilePolicy({ ...facts, previous: facts.previous })
      : { policy: undefined, problems: [] as ReferenceProblem[] };
  const problems = [...facts.targetProblems, ...compiled.problems];
  const withdrawn = facts.ungranted !== undefined;
  const inForce = withdrawn ? undefined : (compiled.policy ?? facts.previous);
  const claims: ConditionClaim[] = [accepted, references(problems), programmed(facts, inForce)];
  claims.push(ready(claims, api.status?.conditions));
  return {
    policy: compiled.policy && compiled.policy.revision !== facts.previous?.revision ? compiled.policy : undefined,
    inForce,
    withdrawn,
    status: {
      observedGeneration: api.metadata.generation,
      conditions: buildConditions(claims, api.status?.conditions, api.metadata.generation, now),
      enforcement: facts.enforcement,
    },
  };
}

function acceptance({ api, hosts, lost, ungranted }: ProtectedApiFacts): ConditionClaim {
  const claim = { type: 'Accepted' as const };
  if (ungranted !== undefined) return { ...claim, status: 'False', reason: 'NotGranted', message: ungranted };
  const [first] = lost;
  if (first) {
    const place = `${first.host}${api.spec.pathPrefix ?? ''}`;
    return {
      ...claim,
      status: 'False',
      reason: 'HostConflict',
      message:
        `spec.hosts: ${place} belongs to ProtectedAPI ${first.winner}, which is older; ` +
        'choose another host or pathPrefix, or delete the other object',
    };
  }
  if (hosts.length === 0) {
    return {
      ...claim,
      status: 'False',
      reason: 'NoHosts',
      message: 'spec.targetRefs: no target names a host yet; name spec.hosts or create the targets',
    };
  }
  return { ...claim, status: 'True', reason: 'Accepted', message: 'The API is compiled and watched' };
}

function references(problems: readonly ReferenceProblem[]): ConditionClaim {
  const [first] = problems;
  if (!first) {
    return { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'Everything named was found' };
  }
  return {
    type: 'ResolvedRefs',
    status: 'False',
    reason: first.reason,
    message: problems.map((problem) => problem.message).join('. '),
  };
}

function programmed(facts: ProtectedApiFacts, inForce: CompiledPolicy | undefined): ConditionClaim {
  const { programming } = facts;
  const claim = { type: 'Programmed' as const };
  if (!inForce) {
    return { ...claim, status: 'False', reason: 'NotAccepted', message: 'Nothing of this API was given to Envoys' };
  }
  if (programming.problem) return { ...claim, status: 'False', ...programming.problem };
  if (programming.revision !== inForce.revision) {
    return { ...claim, status: 'False', reason: 'Pending', message: 'The new identity rules are on their way' };
  }
  return {
    ...claim,
    status: 'True',
    reason: 'Acknowledged',
    message: `${programming.programmedEnvoys} of ${programming.totalEnvoys} Envoys acknowledged the identity rules`,
  };
}

/** Ready when everything the operator answers for holds and the analyzer sees traffic. */
function ready(claims: readonly ConditionClaim[], stored: readonly Condition[] | undefined): ConditionClaim {
  const observing = stored?.find((condition) => condition.type === 'Observing');
  const failing = [...claims, observing].find((claim) => claim && claim.status !== 'True');
  const claim = { type: 'Ready' as const };
  if (failing) {
    return { ...claim, status: 'False', reason: failing.reason, message: `${failing.type}: ${failing.message}` };
  }
  if (!observing) {
    return { ...claim, status: 'False', reason: 'NoTraffic', message: 'Observing: no request has been seen yet' };
  }
  return { ...claim, status: 'True', reason: 'Ready', message: 'The API is watched and Envoys can act' };
}
