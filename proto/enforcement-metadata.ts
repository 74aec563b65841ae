/**
 * How a request that Picket refused can be told from one that the application refused: what the operator's filters leave
 * in the access log entry, and the analyzer reads there. One place, so that the two cannot drift.
 */

/** Dynamic metadata namespace in which RBAC filters report. */
export const RBAC_METADATA_NAMESPACE = 'envoy.filters.http.rbac';

/** Resources that hold decisions. */
export const layerNames = [
  'picket.address.hot',
  'picket.address',
  'picket.decide.hot',
  'picket.decide.warm',
  'picket.decide.cold',
] as const;
export type LayerName = (typeof layerNames)[number];

/** Prefix of the metadata keys and statistics of a layer. */
export function layerPrefix(layer: LayerName): string {
  return `${layer.replaceAll('.', '_')}_`;
}

/** Metadata key under which a layer leaves the class of a request. */
export function classKey(layer: LayerName): string {
  return `${layerPrefix(layer)}shadow_effective_policy_id`;
}

/** Classes that the stationary limiter acts on start with this. */
export const THROTTLE_CLASS_PREFIX = 'throttle-';

/** Response code details of a denial, up to the rest of the decision's id. */
export const DENIAL_DETAILS_PREFIX = 'rbac_access_denied_matched_policy[dec-';
