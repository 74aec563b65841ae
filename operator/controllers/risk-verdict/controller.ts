import type { StatusWriter } from '../status.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { gather, type RiskVerdictSources } from './gather.ts';

export async function reconcile(
  sources: RiskVerdictSources,
  sinks: StatusWriter,
  key: { namespace: string; name: string },
  now: number,
): Promise<void> {
  const facts = gather(sources, key);
  if (facts) await apply(sinks, facts.verdict, decide(facts, now));
}
