/** One attack on the shop of a cluster, told as the demo tells its own. */
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import { type ActResult, resultOf } from '../demo/act.ts';
import type { Attempt } from '../demo/ledger.ts';
import { attacker, type Watched } from '../e2e/stage.ts';
import { waitFor } from '../support/processes.ts';

const act = {
  family: 'credentialStuffing',
  title: 'Leaked passwords of many accounts are tried from one address',
} as const;
/** Enough for the evidence to be complete; then only now and then, to see the refusal. */
const attempts = 40;
const afterMs = 200;
/** How many more times it tries after the first refusal. */
const aftermath = 10;
/** No machine is so slow. */
const timeoutMs = 300_000;

export interface Attack {
  verdict: RiskVerdict;
  result: ActResult;
}

/** Attacks until Envoy refuses and a verdict says why. @throws Error when either does not come about */
export async function attackFrom(watched: Watched, address: string): Promise<Attack> {
  const now = (): number => performance.timeOrigin + performance.now();
  const before = new Set((await watched.verdicts()).map(({ metadata }) => metadata.name));
  const client = attacker(watched.ports.traffic, address);
  const sent: Attempt[] = [];
  const tryOne = async (): Promise<boolean> => {
    const sentAt = now();
    const status = await client.login(`account-${address}-${sent.length}`, 'leaked');
    sent.push({ meantAt: sentAt, sentAt, endedAt: now(), refused: status === 403, status });
    return status === 403;
  };
  try {
    for (let i = 0; i < attempts; i++) await tryOne();
    await waitFor(`Envoy refuses ${address}`, async () => (await tryOne()) || undefined, {
      ...{ timeoutMs, everyMs: afterMs },
    });
    for (let i = 0; i < aftermath; i++) await tryOne();
    const verdict = await waitFor(
      `verdict on ${address}`,
      async () =>
        (await watched.verdicts().catch(() => [])).find(
          ({ metadata, status }) => !before.has(metadata.name) && status?.decision !== undefined,
        ),
      { timeoutMs, everyMs: 500 },
    );
    return { verdict, result: resultOf(act, verdict, sent, sent[0]?.sentAt ?? 0) };
  } finally {
    client.close();
  }
}

/** Asks for a page of the shop from an address again and again; every answer, or why there was none, is kept until `stop`. */
export function keepAsking(watched: Watched, address: string): { stop(): Promise<(number | string)[]> } {
  const client = attacker(watched.ports.traffic, address);
  const answers: (number | string)[] = [];
  let stopping = false;
  const asking = (async () => {
    while (!stopping) {
      const { status, error } = await client.ask(watched.path ?? '');
      answers.push(error ?? status);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
    }
  })();
  return {
    async stop() {
      stopping = true;
      await asking;
      client.close();
      return answers;
    },
  };
}
