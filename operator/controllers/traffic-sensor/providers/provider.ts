import type { ApplyObject, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { PicketAddresses, Report, Wiring } from '../../../envoy/providers/wiring.ts';
import type { ConditionClaim } from '../../conditions.ts';
import type { ProviderKey } from '../../object-cache.ts';
import type { TrafficSensorFacts } from '../gather.ts';

/** Who brings a sensor's Envoys to their feeds and filters, and what can be said of that. */
export interface Provider {
  /** Objects by which another control plane configures its Envoys. */
  objects(facts: TrafficSensorFacts, wiring: Wiring, now: number): ApplyObject[];
  /** The claim `Programmed` of a sensor that is accepted. */
  programmed(facts: TrafficSensorFacts, now: number): ConditionClaim;
}

/** The control planes that this operator may give objects, and what Envoys are told by them. */
export interface ProviderSettings {
  enabled: readonly ProviderKey[];
  addresses: PicketAddresses;
}

/** What another control plane has of a sensor, and what it answered. */
export interface ProviderFacts {
  settings: ProviderSettings | undefined;
  report: Report | undefined;
  /** Gateways that the sensor names, in its order; undefined = it is not there. */
  gateways: ReadonlyMap<string, StoredObject | undefined>;
  /** Objects that the sensor made before. */
  present: readonly StoredObject[];
  /** What the API server said to the objects that were to be written just now. */
  refusal: Refusal | undefined;
}

/** Why an object of a provider was not stored. */
export interface Refusal {
  kind: string;
  /** Whether the cluster knows the kind at all. */
  installed: boolean;
  message: string;
}

export function notProgrammed(reason: string, message: string): ConditionClaim {
  return { type: 'Programmed', status: 'False', reason, message };
}
