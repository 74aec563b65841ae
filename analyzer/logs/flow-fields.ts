/** Flow facts from bodies that a log carries, found where Envoy's `json_to_metadata` would have put them. */
import { FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';

/**
 * Answers `AccessRecord.metadata` from bodies: the key `<flow>:request/a/b`, slashes as dots, is the JSON pointer
 * `/a/b` into the request body.
 */
export function flowMetadataSide(
  namespace: string,
  key: string,
  body: (side: 'request' | 'response') => unknown,
): string | number | boolean | undefined {
  if (namespace !== FLOW_METADATA_NAMESPACE) return undefined;
  const match = /:(request|response)\.(.{0,200})$/.exec(key);
  if (!match) return undefined;
  let value = body(match[1] as 'request' | 'response');
  for (const part of (match[2] ?? '').split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}
