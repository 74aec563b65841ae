/** Whom Picket blames when an identity is claimed that nobody verified. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenSigner, issuer } from '../../examples/shop/tokens.ts';
import type { Picket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { api, caller, createStage, refused, type Stage } from './stage.ts';

const { missing } = findTool('envoy');

function forged(sub: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `Bearer ${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub, iss: issuer })}.${Buffer.from('nothing').toString('base64url')}`;
}

describe.skipIf(missing !== undefined)(`an identity that nobody verified${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  beforeAll(async () => {
    stage = await createStage();
    stage.write(
      'api.yaml',
      api.replace(
        'from: { jwtClaim: { claim: sub } }',
        'from: { jwtClaim: { claim: sub } }\n      enforceAs: { value: true }',
      ),
    );
    picket = await stage.start();
  });
  afterAll(async () => {
    await picket?.stop();
    await stage?.close();
  });

  test('a forged token blames the address it comes from; the victim whose name is in it is served on', async () => {
    expect(await picket.read('/api/v1/problems')).toEqual([]);
    const victim = caller(picket.ports.traffic, '127.20.5.15');
    const headers = { authorization: forged('victim') };
    expect(await victim.get('/v1/account', headers)).toBe(200);
    const attacker = caller(picket.ports.traffic, '127.69.1.1', 'curl/8');
    for (let i = 0; i < 60; i++) await attacker.login('victim', `guess-${i}`, headers);
    for (let i = 0; i < 20; i++) await attacker.login(`other-${i}`, 'leaked', headers);
    await refused(picket, '127.69.1.1');
    attacker.close();
    for (let i = 0; i < 5; i++) expect(await victim.get('/v1/account', headers)).toBe(200);
    expect(await victim.login('victim', 'right', headers)).toBe(200);
    victim.close();
    const verdicts = await waitFor('the verdict', async () => {
      const found = await picket.verdicts();
      return found.some((v) => v.status?.decision) ? found : undefined;
    });
    const acted = verdicts.filter((v) => v.status?.decision !== undefined);
    expect(acted.map((v) => v.spec.principal.kind)).not.toContain('User');
    expect(acted.some((v) => v.spec.principal.kind === 'Address')).toBe(true);
  });
});

describe.skipIf(missing !== undefined)(`an identity that Envoy verified${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  const signer = createTokenSigner();
  beforeAll(async () => {
    stage = await createStage();
    const jwks = join(stage.folder, 'jwks.json');
    writeFileSync(jwks, signer.jwks());
    picket = await stage.start({ args: ['--jwt-issuer', issuer, '--jwt-jwks', jwks] });
  });
  afterAll(async () => {
    await picket?.stop();
    await stage?.close();
  });

  test('a token that another key signed is refused by Envoy itself, and a good one passes', async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, sub: 'someone', jti: 't1', role: 'customer', iat: now, exp: now + 600 };
    const one = caller(picket.ports.traffic, '127.20.6.16');
    expect(await one.get('/v1/account', { authorization: `Bearer ${signer.issue(claims)}` })).toBe(200);
    const stranger = createTokenSigner();
    expect(await one.get('/v1/account', { authorization: `Bearer ${stranger.issue(claims)}` })).toBe(401);
    expect(await one.get('/v1/account')).toBe(200);
    one.close();
  });
});
