/** What a running Picket does with a verdict: refuse, stop refusing, and tell the truth about both. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Picket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { caller, createStage, ordinaryTraffic, personAddress, provoke, type Stage } from './stage.ts';

const { missing } = findTool('envoy');

describe.skipIf(missing !== undefined)(`enforcement by a running Picket${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;

  beforeAll(async () => {
    stage = await createStage();
    picket = await stage.start();
  });
  afterAll(async () => {
    await picket?.stop();
    await stage?.close();
  });

  test('a caller who tries leaked passwords is refused, others are not, and the verdict says which Envoys know', async () => {
    const people = ordinaryTraffic(picket.ports.traffic);
    const verdict = await provoke(picket, '127.66.1.1');
    const { sent, bad } = await people.stop();
    expect(sent).toBeGreaterThan(0);
    expect(bad).toEqual([]);
    expect(verdict.spec.principal.kind).toBe('Address');
    expect(verdict.status?.decision).toMatchObject({ action: 'Deny', mode: 'Enforce' });
    const told = await waitFor('acknowledgement in status', async () => {
      const found = (await picket.verdicts()).find((v) => v.metadata.name === verdict.metadata.name);
      return found?.status?.enforcement?.programmedEnvoys === 1 ? found : undefined;
    });
    expect(told.status?.enforcement).toMatchObject({ programmedEnvoys: 1, totalEnvoys: 1 });
    expect(told.status?.conditions?.find((c) => c.type === 'Programmed')).toMatchObject({ status: 'True' });
    const person = caller(picket.ports.traffic, personAddress(1));
    expect(await person.get('/v1/products/1')).toBe(200);
    person.close();
  });
});
