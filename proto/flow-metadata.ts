/**
 * Where flow facts travel: the operator renders Envoy's `json_to_metadata` rules that put a body field here, the
 * analyzer reads them from the access log entry's dynamic metadata. One place, so that the two cannot drift.
 */

export const FLOW_METADATA_NAMESPACE = 'dev.picket.flow';

/** Metadata key of a field of a request or response body. `/` separates metadata path segments, so it is replaced. */
export function flowMetadataKey(flow: string, side: 'request' | 'response', pointer: string): string {
  return `${flow}:${side}${pointer.replaceAll('/', '.')}`;
}
