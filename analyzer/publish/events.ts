/** What happened, as the data of events on the bus. Pure; the words are those of the Kubernetes API. */
import type { DecisionEvent, PolicyEvent, VerdictEvent } from '@picket/crds/gen/types.ts';
import type { DecisionChange } from '../decide/coordinator-output.ts';
import type { Verdict } from '../verdict.ts';
import { actionNames, kindNames, modeNames } from './names.ts';
import { iso, nameOf, namespaceOf, verdictSpec, verdictStatus } from './risk-verdict.ts';

const maxReason = 512;

export function verdictEvent(verdict: Verdict): VerdictEvent {
  return {
    namespace: namespaceOf(verdict.api),
    api: nameOf(verdict.api),
    verdict: verdict.name,
    principal: verdictSpec(verdict).principal,
    status: verdictStatus(verdict),
  };
}

export function decisionEvent({ event, reason, decision }: DecisionChange): DecisionEvent {
  return {
    namespace: namespaceOf(decision.api),
    api: nameOf(decision.api),
    verdict: decision.verdict,
    principal: { kind: kindNames[decision.kind] ?? 'Address', pseudonym: decision.pseudonym },
    change: event,
    action: actionNames[decision.action] ?? 'Tag',
    mode: modeNames[decision.mode] ?? 'Observe',
    decidedAt: iso(Number(decision.decidedAtMs)),
    expiresAt: iso(Number(decision.expiresAtMs)),
    ...(decision.id ? { id: decision.id } : {}),
    ...(decision.policy ? { policy: nameOf(decision.policy) } : {}),
    ...(reason ? { reason: reason.slice(0, maxReason) } : {}),
  };
}

export function policyEvent(api: string, revision: string): PolicyEvent {
  return { namespace: namespaceOf(api), api: nameOf(api), revision };
}
