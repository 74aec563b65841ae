import { apply, type ProtectedApiSinks, remove } from './apply.ts';
import { decide } from './decide.ts';
import { gather, type ProtectedApiSources } from './gather.ts';

export async function reconcile(
  sources: ProtectedApiSources,
  sinks: ProtectedApiSinks,
  key: { namespace: string; name: string },
  now: number,
): Promise<void> {
  const facts = await gather(sources, key);
  if (facts) await apply(sinks, facts, decide(facts, now));
  else await remove(sinks, key);
}
