import { renderIstio } from '../../../envoy/providers/istio.ts';
import { connection } from './connection.ts';
import type { Provider } from './provider.ts';

/** Envoys of gateways and sidecars that istiod configures. It says nothing of an EnvoyFilter: its Envoys do. */
export const istio: Provider = {
  objects({ sensor }, wiring) {
    const { gateways, selector } = sensor.spec.envoy ?? {};
    return [renderIstio(wiring, gateways ? { gateways } : { matchLabels: selector?.matchLabels ?? {} })];
  },
  programmed: ({ sensor, ...facts }) =>
    connection(
      facts,
      `does EnvoyFilter ${sensor.metadata.namespace}/picket-${sensor.metadata.name} select their pods, and can these reach the operator?`,
    ),
};
