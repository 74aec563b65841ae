import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import type { DecisionStanding } from '../../envoy/fleet.ts';
import type { ObjectCache } from '../object-cache.ts';

export interface RiskVerdictFacts {
  verdict: RiskVerdict;
  /** The decision in force that names this verdict. */
  decision: DecisionStanding | undefined;
}

export interface RiskVerdictSources {
  objects: ObjectCache;
  decisionOf(api: string, verdict: string): DecisionStanding | undefined;
}

export function gather(
  sources: RiskVerdictSources,
  key: { namespace: string; name: string },
): RiskVerdictFacts | undefined {
  const verdict = sources.objects.get('RiskVerdict', key.namespace, key.name);
  if (!verdict) return undefined;
  const api = `${verdict.metadata.namespace}/${verdict.spec.apiRef.name}`;
  return { verdict, decision: sources.decisionOf(api, verdict.metadata.name) };
}
