import type { EnvoyProvider } from '@picket/crds/gen/types.ts';
import { envoyGateway } from './envoy-gateway.ts';
import { istio } from './istio.ts';
import type { Provider } from './provider.ts';
import { xds } from './xds.ts';

/** By `spec.envoy.provider`. */
export const providers: Readonly<Record<EnvoyProvider, Provider>> = {
  XDS: xds,
  Istio: istio,
  EnvoyGateway: envoyGateway,
};
