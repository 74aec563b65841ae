/** Tokens that nobody verified: a claim's text or nothing, and never something that stands on no token. */
import { readUnverifiedClaim } from '@picket/analyzer/identify/jwt.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

const paths = [
  ['sub'],
  ['realm_access', 'roles'],
  ['a', 'b', 'c'],
  ['__proto__', 'x'],
  ['constructor', 'name'],
  ['length'],
  [],
];

export function jwtTarget(): FuzzTarget {
  return {
    seeds: [
      { sub: 'user-1', iss: 'https://id.example', exp: 1_790_003_600 },
      { sub: 7, realm_access: { roles: ['a'] } },
      { a: { b: { c: true } }, sub: null },
      ['sub'],
      'sub',
      {},
    ].map((payload) => Buffer.from(['e30', encode(JSON.stringify(payload)), 'c2lnbmF0dXJl'].join('.'))),
    dictionary: [
      '.',
      '..',
      '=',
      'eyJ',
      'e30',
      'bnVsbA',
      'W10',
      encode('{"__proto__":{"x":"y"}}'),
      encode('{"sub":"\\ud800"}'),
    ],
    check(input) {
      // Half of the inputs are mutated inside of the encoding, where the parser of the payload is.
      const token = input.length % 2 === 0 ? input.toString('latin1') : `e30.${input.toString('base64url')}.x`;
      for (const path of paths) must(typeof readUnverifiedClaim(token, path) === 'string', 'a claim is no text');
      must(readUnverifiedClaim(token, ['constructor', 'name']) !== 'Object', 'a claim came from no token');
    },
  };
}

const encode = (text: string): string => Buffer.from(text).toString('base64url');
