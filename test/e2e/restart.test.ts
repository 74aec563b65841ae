/** Faults of the machinery during an attack: callers in good standing never notice, the attacker never profits. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { freePicketPorts, type Picket, runPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { answered, answerTo, createStage, envoyAdmin, ordinaryTraffic, provoke, type Stage, stuff } from './stage.ts';

const { missing } = findTool('envoy');

describe.skipIf(missing !== undefined)(`restarts in the middle of an attack${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage | undefined;
  let picket: Picket | undefined;
  let envoy: Envoy | undefined;
  afterEach(async () => {
    await envoy?.stop();
    await picket?.stop();
    await stage?.close();
    stage = picket = envoy = undefined;
  });

  /** An Envoy of its own, with the bootstrap that Picket prints, so that it outlives Picket. */
  async function attach(on: Stage): Promise<{ ports: Picket['ports']; start: () => Promise<Picket> }> {
    const ports = await freePicketPorts();
    const printed = await runPicket([
      ...['envoy', 'bootstrap', '--manifests', on.manifests, '-o', 'json'],
      ...['--upstream', `127.0.0.1:${on.upstreamPort}`, '--listen', `127.0.0.1:${ports.traffic}`],
      ...['--als', `127.0.0.1:${ports.als}`, '--xds', `127.0.0.1:${ports.xds}`, '--envoy-admin', '127.0.0.1:0'],
    ]);
    expect(printed.code).toBe(0);
    const start = () => on.start({ ports, attach: true });
    picket = await start();
    envoy = await startEnvoy({ bootstrap: JSON.parse(printed.out) as object });
    await waitFor('Envoy connected', async () =>
      (await picket?.status())?.envoys?.some((e) => e.connected) ? true : undefined,
    );
    return { ports, start };
  }

  test.each([
    ['SIGTERM', '75s'],
    ['SIGKILL', '10m'],
  ] as const)(
    'Picket ends by %s and comes back: decisions of %s stay, still refuse, are still lifted and still expire',
    async (signal, denyFor) => {
      stage = await createStage('Enforce', { denyFor });
      const { ports, start } = await attach(stage);
      const people = ordinaryTraffic(ports.traffic);
      const lasting = await provoke(picket as Picket, '127.67.1.1');
      const reviewed = await provoke(picket as Picket, '127.67.2.1');
      // The vault gathers changes for a moment.
      await new Promise((resolve) => setTimeout(resolve, 400));
      picket?.process.signal(signal);
      expect(await picket?.process.ended).toBe(signal === 'SIGTERM' ? 0 : -1);
      // Nobody steers Envoy now: it goes on as it was told.
      expect(await answerTo({ ports }, '127.67.1.1')).toBe(403);
      picket = await start();
      expect(await answerTo(picket, '127.67.1.1')).toBe(403);
      expect(await answerTo(picket, '127.67.2.1')).toBe(403);
      const told = await waitFor('the verdict is there again, with what Envoy holds', async () =>
        (await picket?.verdicts())?.find(
          (v) => v.metadata.name === lasting.metadata.name && v.status?.enforcement?.programmedEnvoys === 1,
        ),
      );
      expect(told.status?.decision?.id).toBe(lasting.status?.decision?.id);
      const review = await runPicket([
        ...['risk', 'review', reviewed.metadata.name, '--benign', '--admin', picket.adminUrl],
      ]);
      expect(review.code).toBe(0);
      await answered(picket, '127.67.2.1', 200);
      if (denyFor === '75s') {
        await answered(picket, '127.67.1.1', 200, 120_000);
        expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(lasting.status?.decision?.expiresAt ?? '') - 50);
      } else expect(await answerTo(picket, '127.67.1.1')).toBe(403);
      const { sent, bad } = await people.stop();
      expect(sent).toBeGreaterThan(20);
      expect(bad).toEqual([]);
    },
  );

  test('the Envoy that a killed Picket leaves behind serves on, and its successor takes over without a lost request', async () => {
    stage = await createStage();
    picket = await stage.start();
    const orphan = envoyAdmin(picket);
    await provoke(picket, '127.67.3.1');
    await new Promise((resolve) => setTimeout(resolve, 400));
    picket.process.signal('SIGKILL');
    await picket.process.ended;
    const people = ordinaryTraffic(picket.ports.traffic);
    expect(await answerTo(picket, '127.67.3.1')).toBe(403);
    picket = await stage.start({ ports: picket.ports });
    await waitFor('the orphan gone', () =>
      fetch(`${orphan}/ready`).then(
        () => undefined,
        () => true,
      ),
    );
    await answered(picket, '127.67.3.1', 403);
    const { bad } = await people.stop();
    expect(bad).toEqual([]);
  });

  test('an Envoy that dies is started again and refuses at once whom its predecessor refused', async () => {
    stage = await createStage();
    picket = await stage.start();
    const found = await provoke(picket, '127.67.4.1');
    const before = (await (await fetch(`${envoyAdmin(picket)}/server_info`)).json()) as {
      uptime_current_epoch: string;
    };
    expect(before.uptime_current_epoch).toBeDefined();
    await fetch(`${envoyAdmin(picket)}/quitquitquit`, { method: 'POST' });
    await waitFor('Envoy started again', () =>
      picket?.process.output().includes('Envoy ended and is started again') ? true : undefined,
    );
    await answered(picket, '127.67.4.1', 403);
    const told = await waitFor('acknowledged by the new Envoy', async () =>
      (await picket?.verdicts())?.find(
        (v) => v.metadata.name === found.metadata.name && v.status?.enforcement?.programmedEnvoys === 1,
      ),
    );
    expect(told.status?.enforcement).toMatchObject({ programmedEnvoys: 1, totalEnvoys: 1 });
    expect(await stuff(picket.ports.traffic, '127.67.4.1', 3)).toEqual([403, 403, 403]);
  });
});
