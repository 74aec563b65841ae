import type { ObjectCache } from '../object-cache.ts';
import type { StatusWriter } from '../status.ts';
import { apply } from './apply.ts';
import { decide, type LoadedFeed } from './decide.ts';
import { gather } from './gather.ts';

/** @returns the list from now on, and when to look again, Unix milliseconds. */
export async function reconcile(
  objects: ObjectCache,
  previous: LoadedFeed | undefined,
  sinks: StatusWriter,
  key: { namespace: string; name: string },
  now: number,
): Promise<{ loaded: LoadedFeed | undefined; againAt: number | undefined }> {
  const facts = gather(objects, previous, key);
  if (!facts) return { loaded: undefined, againAt: undefined };
  const { status, loaded, againAt } = decide(facts, now);
  await apply(sinks, facts.feed, status);
  return { loaded, againAt };
}
