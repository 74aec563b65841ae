/** Names that bootstrap, pushed resources and tests share: what is called differently in two places never matches. */

/**
 * Resources pushed by delta ECDS, in their order on the wire. Layers, not shards: a push sends and builds a resource
 * whole (0.1–0.2 ms per key), so the few newest keys have one of their own.
 */
export const resourceNames = [
  'picket.address.hot',
  'picket.address',
  'picket.identify',
  'picket.decide.hot',
  'picket.decide.warm',
  'picket.decide.cold',
] as const;
export type ResourceName = (typeof resourceNames)[number];

/** Filters of Envoy's own configuration that act on what the layers classified; pushes never touch them. */
export const limiterFilter = 'picket.limit';
export const tagFilter = 'picket.tag';
/** Puts declared body fields into metadata, on the routes of their flows. */
export const flowFilter = 'picket.flow';

/** Filter state objects that `picket.identify` sets. */
export const apiState = 'picket.api';
export const userAgentState = 'picket.user-agent';
export const ja4State = 'picket.ja4';

/** Request header that tells the application what Picket thinks of the caller: a level in lower case. */
export const riskHeader = 'x-picket-risk';

/** Clusters that reach Picket. */
export const xdsCluster = 'picket-xds';
export const alsCluster = 'picket-als';

/** Request metadata of ECDS streams by which an Envoy says its fleet when its node does not. */
export const fleetMetadata = 'picket-fleet';

/** Envoy's own names, by which others' configuration is found. */
export const connectionManagerFilter = 'envoy.filters.network.http_connection_manager';
export const routerFilter = 'envoy.filters.http.router';

/** Types by the name that `@type` takes. */
const prefix = 'type.googleapis.com/';
export const typeUrls = {
  connectionManager: `${prefix}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  typedExtensionConfig: `${prefix}envoy.config.core.v3.TypedExtensionConfig`,
  rbac: `${prefix}envoy.extensions.filters.http.rbac.v3.RBAC`,
  action: `${prefix}envoy.config.rbac.v3.Action`,
  extensionWithMatcher: `${prefix}envoy.extensions.common.matching.v3.ExtensionWithMatcher`,
  composite: `${prefix}envoy.extensions.filters.http.composite.v3.Composite`,
  executeFilter: `${prefix}envoy.extensions.filters.http.composite.v3.ExecuteFilterAction`,
  skipFilter: `${prefix}envoy.extensions.filters.common.matcher.action.v3.SkipFilter`,
  setFilterState: `${prefix}envoy.extensions.filters.http.set_filter_state.v3.Config`,
  filterStateInput: `${prefix}envoy.extensions.matching.common_inputs.network.v3.FilterStateInput`,
  sourceIpInput: `${prefix}envoy.extensions.matching.common_inputs.network.v3.SourceIPInput`,
  headerInput: `${prefix}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`,
  dynamicMetadataInput: `${prefix}envoy.extensions.matching.common_inputs.network.v3.DynamicMetadataInput`,
  metadataMatcher: `${prefix}envoy.extensions.matching.input_matchers.metadata.v3.Metadata`,
  ipMatcher: `${prefix}xds.type.matcher.v3.IPMatcher`,
  ipInput: `${prefix}envoy.extensions.matching.input_matchers.ip.v3.Ip`,
} as const;
