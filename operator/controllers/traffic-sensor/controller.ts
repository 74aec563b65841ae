import type { StatusWriter } from '../status.ts';
import { apply } from './apply.ts';
import { decide, type TrafficSensorPlan } from './decide.ts';
import { gather, type TrafficSensorSources } from './gather.ts';

/** @returns what was decided; undefined when the sensor is gone. */
export async function reconcile(
  sources: TrafficSensorSources,
  sinks: StatusWriter,
  key: { namespace: string; name: string },
  now: number,
): Promise<TrafficSensorPlan | undefined> {
  const facts = await gather(sources, key);
  if (!facts) return undefined;
  const plan = decide(facts, now);
  await apply(sinks, facts.sensor, plan.status);
  return plan;
}
