/** One operation of an API as the analyzer counts it. */
import { digest } from '../identify/siphash.ts';
import { canonicalTemplate, operationId, readableTemplate } from './template.ts';

export interface Operation {
  /** Id: 64-bit hash of API, method and canonical template. */
  readonly lo: number;
  readonly hi: number;
  readonly method: string;
  /** "/orders/{id}". */
  readonly template: string;
  /** Canonical template up to its last parameter: what an object of this operation is scoped by; "" without one. */
  readonly objectScope: string;
  /** In the contract. */
  readonly declared: boolean;
  readonly deprecated: boolean;
  /** Requests resolved to it; 1 when it has just been found. */
  count: number;
  /** Event time of the first and the last of them, Unix ms. */
  firstSeen: number;
  lastSeen: number;
}

export function createOperation(
  api: string,
  method: string,
  template: string,
  declared = false,
  deprecated = false,
): Operation {
  const canonical = canonicalTemplate(template);
  operationId(api, method, canonical);
  const last = canonical.lastIndexOf('{}');
  return {
    lo: digest.lo,
    hi: digest.hi,
    method,
    template: declared || template !== canonical ? template : readableTemplate(canonical),
    objectScope: last < 0 ? '' : canonical.slice(0, last + 2),
    declared,
    deprecated,
    count: 0,
    firstSeen: Number.POSITIVE_INFINITY,
    lastSeen: 0,
  };
}

/** Counts one request. */
export function countRequest(operation: Operation, at: number): void {
  operation.count++;
  if (at < operation.firstSeen) operation.firstSeen = at;
  if (at > operation.lastSeen) operation.lastSeen = at;
}
