import type { EnvoyProvider } from '@picket/crds/gen/types.ts';
import type { ConditionClaim } from '../../conditions.ts';
import type { TrafficSensorFacts } from '../gather.ts';
import { xds } from './xds.ts';

/** Who brings a sensor's Envoys to their feeds and filters, and what can be said of that. */
export interface Provider {
  /** The claim `Programmed` of a sensor that is accepted. */
  programmed(facts: TrafficSensorFacts): ConditionClaim;
}

/** Those of this version, by `spec.envoy.provider`. */
export const providers: Readonly<Partial<Record<EnvoyProvider, Provider>>> = { XDS: xds };
