import { applyObjects, applyStatus, type TrafficSensorSinks } from './apply.ts';
import { decide, type TrafficSensorPlan } from './decide.ts';
import { gather, type TrafficSensorSources } from './gather.ts';

/** @returns what was decided; undefined when the sensor is gone. */
export async function reconcile(
  sources: TrafficSensorSources,
  sinks: TrafficSensorSinks,
  key: { namespace: string; name: string },
  now: number,
): Promise<TrafficSensorPlan | undefined> {
  const facts = await gather(sources, key);
  if (!facts) return undefined;
  let plan = decide(facts, now);
  const refusal = await applyObjects(sinks, plan);
  if (refusal) plan = decide({ ...facts, provider: { ...facts.provider, refusal } }, now);
  await applyStatus(sinks, facts.sensor, plan.status);
  return plan;
}
