/** Path templates: "/orders/{id}" to people, "/orders/{}" to the hash, so that a parameter's name changes nothing. */
import { digest, type SipKey, siphash } from '../identify/siphash.ts';

/** Operation ids hold no identity and must be the same everywhere and for ever: their key is public. */
const publicKey: SipKey = new Uint32Array([0x6b636970, 0x6f2d7465, 0x61726570, 0x6e6f6974]);

/** A template with nothing in its braces, without a query and a final slash. */
export function canonicalTemplate(template: string): string {
  const bare = template.replace(/\{[^{}/]*\}/g, '{}');
  return bare.length > 1 && bare.endsWith('/') ? bare.slice(0, -1) : bare;
}

/** 64-bit id of an operation in `digest`. */
export function operationId(api: string, method: string, template: string): void {
  siphash(publicKey, `${api}\0${method}\0${canonicalTemplate(template)}`);
}

/** 64-bit id of an API, from "<namespace>/<name>", in `digest`. */
function apiId(api: string): void {
  siphash(publicKey, api);
}

/** Both as words. */
export function apiIdOf(api: string): { lo: number; hi: number } {
  apiId(api);
  return { lo: digest.lo, hi: digest.hi };
}

/** Numbers the parameters of a canonical template: "/a/{}/b/{}" is "/a/{id}/b/{id2}". */
export function readableTemplate(canonical: string): string {
  let n = 0;
  return canonical.replaceAll('{}', () => (++n === 1 ? '{id}' : `{id${n}}`));
}
