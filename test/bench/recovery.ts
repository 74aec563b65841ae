/** `kill -9` under load: how long until Picket serves again and says the same, and what was lost. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openAlsStream } from '../support/als-client.ts';
import { random32 } from '../support/observations.ts';
import { type Picket, removePicket, startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { queryStore } from '../support/store-query.ts';
import { repositoryRoot } from '../support/tools.ts';
import { type Estimate, estimate } from './statistics.ts';
import { trafficBatch } from './traffic.ts';

export interface RecoveryFigures {
  rounds: number;
  entriesPerSecond: number;
  /** From the kill until access logs are taken again. */
  serveSeconds: Estimate;
  /** From the kill until every verdict of before is told again. */
  verdictsSeconds: Estimate;
  verdicts: number;
  /** Entries taken whose rows are not in the store afterwards: they were waiting in memory. */
  rowsLost: Estimate;
  /** Rows that the store had acknowledged and that are not there: none, or it is a fault. */
  acknowledgedLost: number;
}

const perMessage = 50;
const everyMs = 25;
const loadMs = 8_000;

/** @param elapsed monotonic milliseconds */
export async function runRecovery(elapsed: () => number, quick: boolean): Promise<RecoveryFigures> {
  const rounds = quick ? 2 : 5;
  const next = random32(4);
  const manifests = join(repositoryRoot, 'examples/shop/manifests');
  let picket: Picket = await startPicket({ manifests });
  const serve: number[] = [];
  const verdicts: number[] = [];
  const lost: number[] = [];
  let acknowledgedLost = 0;
  let known = 0;
  let sent = 0;
  let spentMs = 0;
  /** Rows of rounds before: each restart's ledger counts from nought. */
  let rowsBefore = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const stream = openAlsStream(picket.ports.als);
      const started = elapsed();
      let acknowledged = 0;
      let received = 0;
      for (let i = 0; elapsed() - started < loadMs; i++) {
        if (await stream.send(trafficBatch(next, Date.now(), perMessage))) sent += perMessage;
        if (i % 8 === 0) ({ stored: acknowledged = 0, received = 0 } = (await picket.status()).ledger ?? {});
        await sleep(everyMs);
      }
      spentMs += elapsed() - started;
      const names = new Set((await picket.verdicts()).map((v) => v.metadata.name));
      ({ stored: acknowledged = 0, received = 0 } = (await picket.status()).ledger ?? {});
      picket.process.signal('SIGKILL');
      const killed = elapsed();
      await picket.process.ended;
      stream.cut();
      picket = await startPicket({ manifests, folder: picket.folder, ports: picket.ports });
      serve.push((elapsed() - killed) / 1000);
      await waitFor(
        `${names.size} verdicts of before`,
        async () => {
          const now = new Set((await picket.verdicts()).map((v) => v.metadata.name));
          return [...names].every((name) => now.has(name)) ? true : undefined;
        },
        { process: picket.process },
      );
      verdicts.push((elapsed() - killed) / 1000);
      known = names.size;
      const [{ n } = { n: '0' }] = await queryStore<{ n: string }>(
        picket,
        'SELECT count() AS n FROM picket.observations',
      );
      const rows = Number(n) - rowsBefore;
      rowsBefore = Number(n);
      lost.push(Math.max(0, received - rows));
      acknowledgedLost += Math.max(0, acknowledged - rows);
    }
  } finally {
    await picket.stop();
    removePicket(picket);
  }
  return {
    rounds,
    entriesPerSecond: Math.round((sent / spentMs) * 1000),
    serveSeconds: estimate(serve),
    verdictsSeconds: estimate(verdicts),
    verdicts: known,
    rowsLost: estimate(lost, 0),
    acknowledgedLost,
  };
}
