import { connection } from './connection.ts';
import type { Provider } from './provider.ts';

/** Envoys that fetch their filters from the operator itself, by a bootstrap that a person gave them. */
export const xds: Provider = {
  objects: () => [],
  programmed: (facts) => connection(facts, `see what "picket envoy snippet --fleet ${facts.fleet}" prints`),
};
