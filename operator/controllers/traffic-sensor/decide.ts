import type { EnvoyProvider, TrafficSensor, TrafficSensorStatus } from '@picket/crds/gen/types.ts';
import { buildConditions, type ConditionClaim, readyClaim } from '../conditions.ts';
import type { TrafficSensorFacts } from './gather.ts';
import { providers } from './providers/providers.ts';

export interface TrafficSensorPlan {
  status: TrafficSensorStatus;
  /** Envoys that there should be; undefined = nobody says. */
  expectedEnvoys: number | undefined;
  /** When to count pods again, Unix milliseconds. */
  againAt: number | undefined;
}

const countEveryMs = 15_000;

/** Status of a sensor: whether its Envoys are ours to serve, and how many of them are connected. */
export function decide(facts: TrafficSensorFacts, now: number): TrafficSensorPlan {
  const { sensor, readyPods } = facts;
  const accepted = acceptance(facts);
  const provider = providers[providerOf(sensor)];
  const claims = [accepted];
  if (accepted.status === 'True' && provider) claims.push(provider.programmed(facts));
  const { generation } = sensor.metadata;
  return {
    status: {
      observedGeneration: generation,
      conditions: buildConditions(
        [...claims, readyClaim(claims, 'The Envoys of the fleet are connected')],
        sensor.status?.conditions,
        generation,
        now,
      ),
    },
    expectedEnvoys: accepted.status === 'True' ? readyPods : undefined,
    againAt: readyPods === undefined ? undefined : now + countEveryMs,
  };
}

function acceptance({ sensor, fleet }: TrafficSensorFacts): ConditionClaim {
  const refuse = (reason: string, message: string): ConditionClaim => ({
    type: 'Accepted',
    status: 'False',
    reason,
    message,
  });
  const { envoy, nodes } = sensor.spec;
  if (!envoy) return refuse('UnsupportedSource', 'spec.nodes: this version has no kernel sensor; name spec.envoy');
  const provider = providerOf(sensor);
  if (!providers[provider]) {
    return refuse(
      'UnsupportedProvider',
      `spec.envoy.provider: this version does not configure ${provider}; put what "picket envoy snippet" prints into its Envoys and choose XDS`,
    );
  }
  if (sensor.metadata.name !== fleet) {
    return refuse(
      'UnknownFleet',
      `metadata.name: this operator serves the fleet ${fleet}; name the sensor so, or run an operator and an analyzer with --fleet ${sensor.metadata.name}`,
    );
  }
  const without = [
    ...(envoy.feeds?.bodyMirror ? ['spec.envoy.feeds.bodyMirror: bodies are not mirrored in this version'] : []),
    ...(nodes ? ['spec.nodes: this version has no kernel sensor'] : []),
  ];
  return without.length > 0
    ? { type: 'Accepted', status: 'True', reason: 'PartlySupported', message: without.join('. ') }
    : { type: 'Accepted', status: 'True', reason: 'Accepted', message: `The fleet ${fleet} is served` };
}

function providerOf({ spec }: TrafficSensor): EnvoyProvider {
  return spec.envoy?.provider ?? 'XDS';
}
