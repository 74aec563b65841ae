import { kinds } from './kinds/kinds.ts';
import { API_VERSION } from './schema/kind.ts';

/** Where the API server serves each kind of `picket.dev`. */
export const kindResources: Readonly<Record<string, { apiVersion: string; plural: string }>> = Object.fromEntries(
  kinds.map(({ kind, plural }) => [kind, { apiVersion: API_VERSION, plural }]),
);
