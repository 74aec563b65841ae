import type { TrafficSensor } from '@picket/crds/gen/types.ts';
import type { StoredObject } from '@picket/runtime/objects/object-store.ts';
import {
  envoyGatewayName,
  type GatewayListeners,
  type NameScheme,
  renderBodyMirror,
  renderEnvoyProxy,
  renderPatchPolicy,
} from '../../../envoy/providers/envoy-gateway.ts';
import type { ConditionClaim } from '../../conditions.ts';
import { connection } from './connection.ts';
import { notProgrammed, type Provider, type ProviderFacts } from './provider.ts';

/** Looked at again after so long when Envoy Gateway found no listener under one scheme of names, nor under the other. */
const schemeRetryMs = 60_000;

/** It answers within a second. */
const silenceMs = 10_000;

/** Envoys of Gateways that Envoy Gateway runs. */
export const envoyGateway: Provider = {
  objects({ sensor, provider }, wiring, now) {
    const there = [...provider.gateways.values()].filter((gateway) => gateway !== undefined).map(listenersOf);
    if (there.length === 0) return [];
    return [
      renderEnvoyProxy(wiring),
      sensor.spec.envoy?.feeds?.bodyMirror
        ? renderBodyMirror(
            wiring,
            there.map(({ name }) => name),
          )
        : undefined,
      ...there.map((gateway) =>
        renderPatchPolicy(wiring, gateway, schemeOf(patchPolicyOf(sensor, provider, gateway.name), now)),
      ),
    ].filter((object) => object !== undefined);
  },

  programmed(facts, now) {
    const { sensor, provider, connectedEnvoys } = facts;
    const { namespace } = sensor.metadata;
    for (const [name, gateway] of provider.gateways) {
      const problem = gateway
        ? (patchProblem(sensor, provider, gateway, now) ??
          (connectedEnvoys === 0 ? certificateProblem(sensor, provider, gateway) : undefined))
        : notProgrammed('GatewayNotFound', `spec.envoy.gateways: there is no Gateway ${namespace}/${name}`);
      if (problem) return problem;
    }
    const mirror = provider.present.filter(({ kind }) => kind === 'EnvoyExtensionPolicy').map(refusedIn);
    return (
      mirror.find((refused) => refused !== undefined) ??
      connection(
        facts,
        'Envoy Gateway has put the filters into their configuration: can their pods reach the operator?',
      )
    );
  },
};

function listenersOf({ metadata, spec }: StoredObject): GatewayListeners {
  const { listeners = [] } = spec as Partial<GatewayListeners>;
  return { name: metadata.name, listeners };
}

function patchPolicyOf(sensor: TrafficSensor, { present }: ProviderFacts, gateway: string): StoredObject | undefined {
  const name = envoyGatewayName(sensor.metadata.name, gateway);
  return present.find(({ kind, metadata }) => kind === 'EnvoyPatchPolicy' && metadata.name === name);
}

const listenerType = 'type.googleapis.com/envoy.config.listener.v3.Listener';

/** The scheme under which Envoy Gateway finds listeners: the one in use, unless it finds none of them by it. */
function schemeOf(policy: StoredObject | undefined, now: number): NameScheme {
  if (!policy) return 'ByListener';
  const { jsonPatches = [] } = policy.spec as { jsonPatches?: { type: string; name: string }[] };
  const names = new Set(jsonPatches.filter(({ type }) => type === listenerType).map(({ name }) => name));
  const used: NameScheme = [...names].some((name) => name.startsWith('tcp-')) ? 'ByPort' : 'ByListener';
  const answer = answersTo(policy).find(({ type }) => type === 'Programmed');
  if (answer?.reason !== 'ResourceNotFound') return used;
  const missing = new Set(answer.message.split(/[\s,]+/));
  if (![...names].every((name) => missing.has(`${listenerType}/${name}`))) return used;
  if (used === 'ByListener') return 'ByPort';
  return now - Date.parse(answer.lastTransitionTime) < schemeRetryMs ? used : 'ByListener';
}

/** A condition as control planes write it into the status of a policy. */
interface Answer {
  type: string;
  status: string;
  reason: string;
  message: string;
  observedGeneration?: number;
  lastTransitionTime: string;
}

/** What the control plane said of the object as it is now. */
function answersTo({ metadata, status }: StoredObject): Answer[] {
  const { ancestors = [] } = (status ?? {}) as { ancestors?: { conditions?: Answer[] }[] };
  return ancestors
    .flatMap(({ conditions = [] }) => conditions)
    .filter(({ observedGeneration }) => observedGeneration === undefined || observedGeneration >= metadata.generation);
}

function patchProblem(
  sensor: TrafficSensor,
  facts: ProviderFacts,
  gateway: StoredObject,
  now: number,
): ConditionClaim | undefined {
  const called = gateway.metadata.name;
  const policy = patchPolicyOf(sensor, facts, called);
  const name = `EnvoyPatchPolicy ${sensor.metadata.namespace}/${envoyGatewayName(sensor.metadata.name, called)}`;
  if (!policy) return notProgrammed('Pending', `${name} is written`);
  const refused = refusedIn(policy);
  if (refused) return refused;
  const programmed = answersTo(policy).find(({ type }) => type === 'Programmed');
  if (!programmed) {
    const { conditions = [] } = (gateway.status ?? {}) as { conditions?: { type: string; status: string }[] };
    const runs = conditions.some(({ type, status }) => type === 'Accepted' && status === 'True');
    // Where it is told to take no patches it does not so much as read them.
    if (runs && now - Date.parse(policy.metadata.creationTimestamp) > silenceMs) return patchesDisabled(name);
    return notProgrammed(
      'Pending',
      `Envoy Gateway has said nothing of ${name}: does it run, and is Gateway ${called} of its class?`,
    );
  }
  if (programmed.status === 'True') return undefined;
  return programmed.reason === 'ResourceNotFound'
    ? notProgrammed(
        'ListenerNotFound',
        `${name}: ${programmed.message}. See the status of the listeners of Gateway ${called}`,
      )
    : notProgrammed('RefusedByProvider', `${name}: ${programmed.message}`);
}

/** Why Envoy Gateway does not take a policy up. */
function refusedIn(policy: StoredObject): ConditionClaim | undefined {
  const refused = answersTo(policy).find(({ type, status }) => type === 'Accepted' && status === 'False');
  if (!refused) return undefined;
  const name = `${policy.kind} ${policy.metadata.namespace}/${policy.metadata.name}`;
  return refused.reason === 'Disabled'
    ? patchesDisabled(name)
    : notProgrammed('RefusedByProvider', `${name}: ${refused.message}`);
}

function patchesDisabled(name: string): ConditionClaim {
  return notProgrammed(
    'PatchPoliciesDisabled',
    `Envoy Gateway runs and does not look at ${name}: set extensionApis.enableEnvoyPatchPolicy to true in its configuration (Helm: config.envoyGateway.extensionApis.enableEnvoyPatchPolicy=true) and restart it`,
  );
}

/** A Gateway whose Envoys have no certificate for Picket; one with a configuration of its own may mount it there. */
function certificateProblem(
  sensor: TrafficSensor,
  { settings }: ProviderFacts,
  { metadata, spec }: StoredObject,
): ConditionClaim | undefined {
  const secret = settings?.addresses.tlsSecret;
  if (secret === undefined) return undefined;
  const wanted = envoyGatewayName(sensor.metadata.name);
  const { infrastructure } = spec as { infrastructure?: { parametersRef?: { kind: string; name: string } } };
  const ref = infrastructure?.parametersRef;
  if (ref?.kind === 'EnvoyProxy' && ref.name === wanted) return undefined;
  const unreachable = `the Envoys of Gateway ${metadata.name} cannot reach Picket`;
  return notProgrammed(
    'CertificateNotMounted',
    ref
      ? `${unreachable}: mount the Secret ${secret} in ${ref.kind} ${ref.name} as EnvoyProxy ${wanted} does`
      : `${unreachable}: set its spec.infrastructure.parametersRef to { group: gateway.envoyproxy.io, kind: EnvoyProxy, name: ${wanted} }, which mounts the Secret ${secret}`,
  );
}
