/** Logging in again on a real Envoy: a new token of somebody who is denied is denied, and nobody else's. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenSigner, issuer } from '../../examples/shop/tokens.ts';
import type { Picket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { api, caller, createStage, personAddress, policy, type Stage } from './stage.ts';

const { missing } = findTool('envoy');

describe.skipIf(missing !== undefined)(`who logs in again${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  const signer = createTokenSigner();
  beforeAll(async () => {
    stage = await createStage();
    stage.write(
      'api.yaml',
      api.replace(
        'from: { jwtClaim: { claim: sub } }',
        `from: { dynamicMetadata: { namespace: envoy.filters.http.jwt_authn, path: payload/sub } }
    - kind: Token
      from: { dynamicMetadata: { namespace: envoy.filters.http.jwt_authn, path: payload/jti } }
      enforceAs: { value: true }`,
      ),
    );
    // Tokens alone are acted on: what denies the second one is what it inherits.
    stage.write('policy.yaml', policy('Enforce').replace('[User, App, Token, Address, Campaign]', '[Token]'));
    const jwks = join(stage.folder, 'jwks.json');
    writeFileSync(jwks, signer.jwks());
    picket = await stage.start({ args: ['--jwt-issuer', issuer, '--jwt-jwks', jwks] });
  });
  afterAll(async () => {
    await picket?.stop();
    await stage?.close();
  });

  const bearer = (sub: string, jti: string): { authorization: string } => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, sub, jti, role: 'customer', iat: now, exp: now + 600 };
    return { authorization: `Bearer ${signer.issue(claims)}` };
  };
  const ask = async (address: string, headers: { authorization: string }): Promise<number> => {
    const one = caller(picket.ports.traffic, address, `agent of ${address}`);
    const status = await one.get('/v1/account', headers);
    one.close();
    return status;
  };

  test('is refused with the new token from a new address, the verdict says from whom, and a neighbour is served', async () => {
    expect(await picket.read('/api/v1/problems')).toEqual([]);
    const first = bearer('mallory', 'first');
    const neighbour = bearer('neighbour', 'theirs');
    expect(await ask(personAddress(3), neighbour)).toBe(200);
    let asked = 0;
    await waitFor(
      'the first token is refused',
      async () => ((await ask(`127.90.${++asked % 200}.1`, first)) === 403 ? true : undefined),
      { everyMs: 20 },
    );
    const again = bearer('mallory', 'second');
    await waitFor(
      'the second token is refused',
      async () => ((await ask('127.91.1.1', again)) === 403 ? true : undefined),
      { everyMs: 100 },
    );
    expect(await ask('127.91.1.1', neighbour)).toBe(200);
    const inherited = await waitFor('the verdict on the second token', async () =>
      (await picket.verdicts()).find((v) => v.status?.columns?.why === 'Inherited' && v.status.decision !== undefined),
    );
    expect(inherited.spec.principal.kind).toBe('Token');
    const [part] = inherited.status?.contributions ?? [];
    expect(part?.source).toMatch(/^inherited from shop-(token|user)-[0-9a-f]{10}$/);
    // One is rounded to a whole, the other to a tenth.
    expect(Math.abs((part?.points ?? 0) - (inherited.status?.score ?? 0))).toBeLessThan(0.6);
    const from = await waitFor('the verdict that it comes from', async () =>
      (await picket.verdicts()).find((v) => part?.source.endsWith(` ${v.metadata.name}`)),
    );
    expect(from.status?.findings?.length).toBeGreaterThan(0);
    expect(inherited.status?.findings ?? []).toEqual([]);
    const page = await (await fetch(`${picket.adminUrl}/`)).text();
    expect(page).toMatch(new RegExp(`${inherited.metadata.name} +\\d+ inherited from shop-(token|user)-`));
  });
});
