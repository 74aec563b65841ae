import type { ObjectCache } from '../object-cache.ts';
import type { StatusWriter } from '../status.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { gather } from './gather.ts';

/** @returns when to look again, Unix milliseconds. */
export async function reconcile(
  objects: ObjectCache,
  sinks: StatusWriter,
  key: { namespace: string; name: string },
  now: number,
): Promise<number | undefined> {
  const facts = gather(objects, key);
  if (!facts) return undefined;
  const { status, againAt } = decide(facts, now);
  await apply(sinks, facts.exemption, status);
  return againAt;
}
