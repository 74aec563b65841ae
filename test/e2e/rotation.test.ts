/** A key rotation in the middle of ordinary traffic and attacks, on a real Envoy. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Picket, runPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { answerTo, createStage, ordinaryTraffic, provoke, type Stage, stuff } from './stage.ts';

const { missing } = findTool('envoy');

describe.skipIf(missing !== undefined)(`a key rotation${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage | undefined;
  let picket: Picket | undefined;
  afterEach(async () => {
    await picket?.stop();
    await stage?.close();
  });

  test('raises no alert, keeps verdicts and decisions, loses no attack, and can be replayed; the old key is erased', async () => {
    stage = await createStage();
    const running = await stage.start();
    picket = running;
    const data = join(running.folder, 'data');
    const ring = (): { active: { id: string }; previous?: unknown } =>
      JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')) as { active: { id: string }; previous?: unknown };
    const people = ordinaryTraffic(running.ports.traffic);
    const before = await provoke(running, '127.68.1.1');
    // An attack that has begun, and is not yet enough to be judged.
    expect(await stuff(running.ports.traffic, '127.68.2.1', 4)).toEqual([200, 200, 200, 200]);
    const names = async (): Promise<string[]> => (await running.verdicts()).map((v) => v.metadata.name).sort();
    const known = await names();
    const oldKey = ring().active.id;

    const rotated = await runPicket(['keys', 'rotate', '--data', data, '--overlap', '60s']);
    expect([rotated.code, rotated.err]).toEqual([0, '']);
    expect(rotated.out).toContain(oldKey);
    expect(ring().active.id).not.toBe(oldKey);
    await waitFor('the new key in use', () =>
      running.process.output().includes('pseudonym key rotated') ? true : undefined,
    );
    const again = await runPicket(['keys', 'rotate', '--data', data]);
    expect(again.code).toBe(7);
    expect(again.err).toContain('a rotation is under way until');

    expect(await answerTo(running, '127.68.1.1')).toBe(403);
    // People go on under the new key, and so does the attack.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(await names()).toEqual(known);
    const during = await provoke(running, '127.68.2.1');
    const stands = (await running.verdicts()).find((v) => v.metadata.name === before.metadata.name);
    expect(stands?.status?.decision?.id).toBe(before.status?.decision?.id);
    const attempts = during.status?.findings?.find((f) => f.detector === 'credentialStuffing');
    expect(Date.parse(attempts?.since ?? '')).toBeLessThan(Date.parse(during.status?.firstSeen ?? ''));
    // What the first attack led to, and nothing else: its address and its network.
    const kinds = (of: string[]): string[] => of.map((name) => name.split('-')[1] ?? '').sort();
    const added = (await names()).filter((name) => !known.includes(name));
    expect(added).toContain(during.metadata.name);
    expect(kinds(known)).toEqual(expect.arrayContaining(kinds(added)));
    expect(new Set(kinds(added)).size).toBe(added.length);

    await waitFor('the old key erased', () => (ring().previous === undefined ? true : undefined), {
      timeoutMs: 150_000,
    });
    const status = await runPicket(['keys', 'status', '--data', data, '-o', 'json']);
    expect(JSON.parse(status.out)).toEqual({
      active: { id: ring().active.id, createdAt: expect.any(String) as string },
    });
    expect(await answerTo(running, '127.68.1.1')).toBe(403);
    expect(await answerTo(running, '127.68.2.1')).toBe(403);
    const { sent, bad } = await people.stop();
    expect(sent).toBeGreaterThan(20);
    expect(bad).toEqual([]);

    expect(await running.stop()).toBe(0);
    const replayed = await runPicket(['replay', '--data', data, '-o', 'json']);
    expect(replayed.code).toBe(0);
    expect((JSON.parse(replayed.out) as { different: unknown[]; same: number }).same).toBeGreaterThan(1);
  });
});
