import type { EnvoyProvider, TrafficSensor, TrafficSensorStatus } from '@picket/crds/gen/types.ts';
import type { ApplyObject, ObjectKey } from '@picket/runtime/objects/object-store.ts';
import { buildConditions, type ConditionClaim, readyClaim } from '../conditions.ts';
import type { TrafficSensorFacts } from './gather.ts';
import { notProgrammed } from './providers/provider.ts';
import { providers } from './providers/providers.ts';

export interface TrafficSensorPlan {
  status: TrafficSensorStatus;
  /** Objects for the control plane that configures the Envoys. */
  objects: ApplyObject[];
  /** Those that an earlier spec asked for. */
  obsolete: ObjectKey[];
  /** Envoys that there should be; undefined = nobody says. */
  expectedEnvoys: number | undefined;
  /** When to count pods and to read the control plane's answers again, Unix milliseconds. */
  againAt: number | undefined;
}

const lookEveryMs = 15_000;
/** What has not answered yet does so any moment. */
const answerEveryMs = 2_000;

/** How a sensor's Envoys are wired, whether they are ours to serve, and how many of them are connected. */
export function decide(facts: TrafficSensorFacts, now: number): TrafficSensorPlan {
  const { sensor, readyPods } = facts;
  const accepted = acceptance(facts);
  const { objects, obsolete } = accepted.status === 'True' ? wiring(facts, now) : { objects: [], obsolete: [] };
  const claims = [accepted];
  if (accepted.status === 'True') claims.push(programmed(facts, now));
  const { generation } = sensor.metadata;
  const asked = readyPods !== undefined || objects.length > 0;
  const waits = objects.length > 0 && claims.some(({ reason }) => reason === 'Pending');
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
    objects,
    obsolete,
    expectedEnvoys: accepted.status === 'True' ? readyPods : undefined,
    againAt: asked ? now + (waits ? answerEveryMs : lookEveryMs) : undefined,
  };
}

function wiring(facts: TrafficSensorFacts, now: number): Pick<TrafficSensorPlan, 'objects' | 'obsolete'> {
  const { sensor, fleet } = facts;
  const { settings, report, present } = facts.provider;
  if (!settings) return { objects: [], obsolete: [] };
  const { namespace, name, uid } = sensor.metadata;
  const objects = providers[providerOf(sensor)].objects(
    facts,
    { ...settings.addresses, sensor: { namespace, name, uid }, fleet, report },
    now,
  );
  const wanted = new Set(objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
  const obsolete = present.filter(({ kind, metadata }) => !wanted.has(`${kind}/${metadata.name}`));
  return { objects, obsolete: obsolete.map(({ kind, metadata }) => ({ kind, namespace, name: metadata.name })) };
}

function programmed(facts: TrafficSensorFacts, now: number): ConditionClaim {
  const { refusal } = facts.provider;
  if (!refusal) return providers[providerOf(facts.sensor)].programmed(facts, now);
  return refusal.installed
    ? notProgrammed('RefusedByProvider', `${refusal.kind}: ${refusal.message}`)
    : notProgrammed(
        'ProviderNotInstalled',
        `spec.envoy.provider: this cluster knows no ${refusal.kind}; install ${providerOf(facts.sensor)}, or choose another provider`,
      );
}

function acceptance({ sensor, fleet, provider: { settings } }: TrafficSensorFacts): ConditionClaim {
  const refuse = (reason: string, message: string): ConditionClaim => ({
    type: 'Accepted',
    status: 'False',
    reason,
    message,
  });
  const { envoy, nodes } = sensor.spec;
  if (!envoy) return refuse('UnsupportedSource', 'spec.nodes: this version has no kernel sensor; name spec.envoy');
  if (sensor.metadata.name !== fleet) {
    return refuse(
      'UnknownFleet',
      `metadata.name: this operator serves the fleet ${fleet}; name the sensor so, or run an operator and an analyzer with --fleet ${sensor.metadata.name}`,
    );
  }
  const provider = providerOf(sensor);
  if (provider !== 'XDS' && !settings?.enabled.includes(provider)) {
    return refuse(
      'ProviderSwitchedOff',
      `spec.envoy.provider: this operator may not write objects of ${provider}; install the chart with providers.${provider === 'Istio' ? 'istio' : 'envoyGateway'}.enabled=true, or put what "picket envoy snippet" prints into its Envoys and choose XDS`,
    );
  }
  const without = [
    ...(envoy.feeds?.bodyMirror && !(provider === 'EnvoyGateway' && settings?.addresses.bodies)
      ? ['spec.envoy.feeds.bodyMirror: bodies are not mirrored in this version']
      : []),
    ...(nodes ? ['spec.nodes: this version has no kernel sensor'] : []),
  ];
  return without.length > 0
    ? { type: 'Accepted', status: 'True', reason: 'PartlySupported', message: without.join('. ') }
    : { type: 'Accepted', status: 'True', reason: 'Accepted', message: `The fleet ${fleet} is served` };
}

function providerOf({ spec }: TrafficSensor): EnvoyProvider {
  return spec.envoy?.provider ?? 'XDS';
}
