/** Claims of tokens that nobody here verifies: read for watching, never for blame or enforcement. */

/** Longest payload read, base64url characters. */
const maxPayloadLength = 8192;

/**
 * Text of a claim of a JWT's payload, "" when the text is no JWT or has no such claim.
 *
 * @param path segments of the claim's path, `['realm_access', 'roles']`.
 */
export function readUnverifiedClaim(token: string, path: readonly string[]): string {
  const first = token.indexOf('.');
  if (first <= 0) return '';
  const second = token.indexOf('.', first + 1);
  if (second < 0 || second === first + 1 || second - first > maxPayloadLength) return '';
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token.slice(first + 1, second), 'base64url').toString('utf8'));
  } catch {
    return '';
  }
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return '';
    value = (value as Record<string, unknown>)[key];
  }
  return claimText(value);
}

/** Strings, numbers and booleans have a text; anything else is no identity. */
export function claimText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
