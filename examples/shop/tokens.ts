/** JSON Web Tokens of the shop: ES256, verified by Envoy's `jwt_authn` with the published key. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

export const issuer = 'https://shop.example';

export interface Claims {
  iss: string;
  sub: string;
  /** Id of this token. */
  jti: string;
  role: string;
  /** Seconds since 1970. */
  iat: number;
  exp: number;
}

export interface TokenSigner {
  issue(claims: Claims): string;
  /** Claims of a token this signer issued that has not expired; undefined for anything else. */
  read(token: string, nowMs: number): Claims | undefined;
  /** JSON Web Key Set, as JSON text. */
  jwks(): string;
}

/** Tokens remembered so that a signature is checked once. */
const maxVerified = 20_000;

/** @param pem private key (P-256) of several shops that are one; a new one is made unless given */
export function createTokenSigner(pem?: string): TokenSigner {
  const privateKey =
    pem === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  const header = encode({ alg: 'ES256', typ: 'JWT', kid: 'shop' });
  const verified = new Map<string, Claims>();
  return {
    issue(claims) {
      const signed = `${header}.${encode(claims)}`;
      const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${signed}.${signature.toString('base64url')}`;
    },
    read(token, nowMs) {
      let claims = verified.get(token);
      if (claims === undefined) {
        claims = verifiedClaims(token, publicKey);
        if (claims === undefined) return undefined;
        if (verified.size >= maxVerified) verified.clear();
        verified.set(token, claims);
      }
      return claims.exp * 1000 > nowMs ? claims : undefined;
    },
    jwks: () =>
      JSON.stringify({
        keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'shop', alg: 'ES256', use: 'sig' }],
      }),
  };
}

function verifiedClaims(token: string, key: KeyObject): Claims | undefined {
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return undefined;
  const signed = Buffer.from(`${header}.${payload}`);
  if (!verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')))
    return undefined;
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Claims;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
