/**
 * The end-to-end story on a cluster, in chapters: what `make demo-kubernetes` tells and `test/kubernetes/node.test.ts`
 * asks for. A chapter throws when something does not come about.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BehaviorPolicy, RiskVerdict } from '@picket/crds/gen/types.ts';
import { printAct } from '../demo/act.ts';
import type { Screen } from '../demo/screen.ts';
import { answered, type OrdinaryTraffic, ordinaryTraffic } from '../e2e/stage.ts';
import { parseTable } from '../support/kubectl.ts';
import { waitFor } from '../support/processes.ts';
import { attackFrom, keepAsking } from './attack.ts';
import type { ShopCluster } from './cluster.ts';
import { helmOn, kubectlOn, upgradeFlags } from './install.ts';
import { crashAll, deletePods, type Killed, replaced } from './pods.ts';

export interface Chapter {
  title: string;
  play(scene: Scene): Promise<void>;
}

export interface Scene {
  readonly cluster: ShopCluster;
  readonly screen: Screen;
  /** Who must never notice anything. */
  readonly people: OrdinaryTraffic;
  kubectl(...args: string[]): Promise<string>;
  /** The first attacker, refused from the first chapter until the policy goes. */
  veteran?: { address: string; verdict: RiskVerdict };
  /** An address that nobody has used. */
  newAddress(): string;
}

export function createScene(cluster: ShopCluster, screen: Screen): Scene {
  let used = 0;
  return {
    cluster,
    screen,
    people: ordinaryTraffic(cluster.watched.ports.traffic, cluster.crowd),
    kubectl: (...args) => kubectlOn(cluster.node, ...args),
    newAddress: () => cluster.strangerAddress(used++),
  };
}

/** Plays a chapter; nobody in good standing may get another answer than the shop's meanwhile. */
export async function playChapter(scene: Scene, { title, play }: Chapter): Promise<void> {
  const { people, screen } = scene;
  screen.line(title, 'title');
  const startedAt = performance.now();
  const before = people.sent();
  try {
    await play(scene);
    equal(people.bad.length, 0, `people got other answers than 200: ${[...new Set(people.bad)].join(', ')}`);
  } catch (error) {
    for (const kind of ['pods', 'events']) screen.line(await scene.kubectl('get', kind, '-A').catch(String), 'quiet');
    throw error;
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  screen.line(`  people    ${people.sent() - before} requests in ${seconds} s, none failed\n`, 'good');
}

/** What takes seconds takes minutes on a machine with other work: only what hangs fails. */
const patience = { timeoutMs: 180_000, everyMs: 500 };

export const chapters: readonly Chapter[] = [
  { title: 'An attacker is refused by Envoy, and kubectl get shows who, why and until when', play: firstAttack },
  { title: 'A decision runs out, and traffic flows again', play: expiry },
  killing('The operators are killed', (scene) => deletePods(scene.cluster.node, 'operator')),
  killing('The analyzer is killed', (scene) => deletePods(scene.cluster.node, 'analyzer')),
  killing('NATS is killed', (scene) => deletePods(scene.cluster.node, 'nats')),
  killing('The API server is killed', async () => ({}), true),
  killing('All of them are killed at once', (scene) => crashAll(scene.cluster.node), true),
  { title: 'The chart is upgraded under load', play: upgrade },
  { title: 'The policy is deleted, and nothing is enforced any more', play: deletion },
];

async function firstAttack(scene: Scene): Promise<void> {
  const { cluster, kubectl, screen } = scene;
  await setPolicy(scene, { responses: [{ level: 'High', action: 'Deny', for: '1h' }] });
  const address = scene.newAddress();
  const { verdict, result } = await attackFrom(cluster.watched, address);
  scene.veteran = { address, verdict };
  await acknowledged(scene, verdict);
  printAct(screen, result);
  ok(result.problem === undefined, result.problem);
  await shows(scene, 'rv', verdict.metadata.name, {
    API: /^shop$/,
    PRINCIPAL: /^Address\/[0-9a-f]{8}$/,
    LEVEL: /^(High|Critical)$/,
    ACTION: /^Deny$/,
    WHY: /CredentialStuffing/,
    EXPIRES: /^\d{4}-/,
  });
  await shows(scene, 'papi', 'shop', {
    ...{ LEVEL: /^(High|Critical)$/, ENFORCING: /^1$/, OPS: /^[1-9]/, RPS: /^[1-9]/, P99: /ms$/ },
    COMPLETE: /^(100|99(\.\d+)?)%$/,
  });
  await shows(scene, 'bpol', 'shop', { MODE: /^Enforce$/, ACCEPTED: /^True$/, PROGRAMMED: /^True$/, ACTING: /^1$/ });
  for (const kind of ['papi', 'rv', 'bpol']) {
    screen.line(`  $ kubectl get ${kind}`, 'quiet');
    for (const line of (await kubectl('get', kind)).trimEnd().split('\n')) screen.line(`  ${line}`, 'quiet');
  }
  ok(!(await kubectl('get', 'picket', '-A', '-o', 'yaml')).includes(address), 'an object names the address in clear');
}

async function expiry(scene: Scene): Promise<void> {
  const { cluster, screen } = scene;
  await setPolicy(scene, { responses: [{ level: 'High', action: 'Deny', for: '10s' }] });
  const address = scene.newAddress();
  const { verdict } = await attackFrom(cluster.watched, address);
  await answered(cluster.watched, address, 200, patience.timeoutMs);
  const early = Date.parse(verdict.status?.decision?.expiresAt ?? '') - Date.now();
  ok(early < 50, `it ended ${early} ms early`);
  screen.line('  decision  Deny for 10 s, and 200 again after it');
  await setPolicy(scene, { responses: [{ level: 'High', action: 'Deny', for: '1h' }] });
}

/** A chapter in which something dies while the first attacker goes on asking: not once may it be let through. */
function killing(title: string, kill: (scene: Scene) => Promise<Killed>, withApiServer = false): Chapter {
  const play = async (scene: Scene): Promise<void> => {
    const { node } = scene.cluster;
    await refusedThroughout(scene, async () => {
      const killed = await kill(scene);
      if (withApiServer) {
        node.kubernetes.apiServer.signal('SIGKILL');
        await node.kubernetes.apiServer.ended;
        // Long enough for everybody to notice.
        await sleep(3_000);
        await node.kubernetes.restartApiServer();
      }
      await replaced(node, killed);
      await converged(scene);
    });
  };
  return { title: `${title}: nobody is let through or held up, and all comes together again`, play };
}

/** A verdict with its decision, as it must be found again. */
function decisionOf({ metadata, status }: RiskVerdict): [string, unknown] {
  return [metadata.name, status?.decision?.expiresAt];
}

async function upgrade(scene: Scene): Promise<void> {
  const { node, watched } = scene.cluster;
  const before = (await watched.verdicts()).filter(({ status }) => status?.decision !== undefined).map(decisionOf);
  await refusedThroughout(scene, async () => {
    await helmOn(node, 'upgrade', 'picket', ...upgradeFlags);
    await converged(scene);
  });
  const after = new Map((await watched.verdicts()).map(decisionOf));
  deepEqual(
    before.map(([name]) => [name, after.get(name)]),
    before,
    'decisions in force, before and after',
  );
  scene.screen.line(`  decisions ${before.length} in force before, the same after`);
}

async function deletion(scene: Scene): Promise<void> {
  const { kubectl, cluster, veteran } = scene;
  await kubectl('delete', 'bpol', 'shop');
  await answered(cluster.watched, veteran?.address ?? '', 200, patience.timeoutMs);
  await waitFor(
    'no decision is left in status',
    async () => (await cluster.watched.verdicts()).every(({ status }) => status?.decision === undefined) || undefined,
    patience,
  );
  scene.screen.line('  decision  none is left, in Envoy or in status');
}

async function refusedThroughout(scene: Scene, meanwhile: () => Promise<void>): Promise<void> {
  const asking = keepAsking(scene.cluster.watched, scene.veteran?.address ?? '');
  let answers: (number | string)[];
  try {
    await meanwhile();
  } finally {
    answers = await asking.stop();
  }
  const others = answers.filter((status) => status !== 403);
  deepEqual(others, [], 'answers that the first attacker got other than 403');
  scene.screen.line(`  refused   the first attacker ${answers.length} times of ${answers.length}`);
}

/** The first attacker's verdict is as it was, a new attacker is judged, refused and shown, and the statuses say that all is well. */
async function converged(scene: Scene): Promise<void> {
  const { cluster, veteran, screen } = scene;
  const { verdict: found, result } = await attackFrom(cluster.watched, scene.newAddress());
  await acknowledged(scene, found);
  if (veteran) await acknowledged(scene, veteran.verdict);
  for (const [kind, types] of [
    ['papi', ['Accepted', 'ResolvedRefs', 'Programmed', 'Observing', 'Ready']],
    ['bpol', ['Accepted', 'Attached', 'Programmed', 'Ready']],
  ] as const)
    await waitFor(`${kind} shop: ${types.join(', ')}`, async () => holds(scene, kind, types), patience);
  const { verdict, toRefusalSeconds = 0 } = result;
  screen.line(
    `  attacker  a new one is ${verdict?.level}, ${verdict?.decision}; refused after ${toRefusalSeconds.toFixed(2)} s`,
  );
}

async function holds({ kubectl }: Scene, kind: string, types: readonly string[]): Promise<true | undefined> {
  const path = 'jsonpath={range .status.conditions[*]}{.type}={.status} {end}';
  const conditions = (await kubectl('get', kind, 'shop', '-o', path).catch(() => '')).split(' ');
  return types.every((type) => conditions.includes(`${type}=True`)) || undefined;
}

/** Waits until the verdict has its decision, acknowledged by both Envoys. */
function acknowledged({ kubectl }: Scene, { metadata, status }: RiskVerdict): Promise<true> {
  const wanted = `${status?.decision?.action} 2/2`;
  const enforcement = '{.status.enforcement.programmedEnvoys}/{.status.enforcement.totalEnvoys}';
  const path = `jsonpath={.status.decision.action} ${enforcement}`;
  const shown = (): Promise<string> => kubectl('get', 'rv', metadata.name, '-o', path).catch(() => '');
  return waitFor(`${metadata.name}: ${wanted}`, async () => (await shown()) === wanted || undefined, patience);
}

/** Waits until the columns that `kubectl get` shows of an object match. */
async function shows(scene: Scene, kind: string, name: string, columns: Record<string, RegExp>): Promise<void> {
  let row: Record<string, string> | undefined;
  const matches = async (): Promise<true | undefined> => {
    row = parseTable(await scene.kubectl('get', kind).catch(() => '')).find((found) => found['NAME'] === name);
    return Object.entries(columns).every(([column, form]) => form.test(row?.[column] ?? '')) || undefined;
  };
  await waitFor(`columns of ${kind} ${name}`, matches, patience).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(row)} and not ${Object.entries(columns).join(' ')}`);
  });
}

/** Changes the policy and waits until it is in force: compiled by the operator, taken over by the analyzer at its next tick. */
async function setPolicy({ kubectl }: Scene, spec: object): Promise<void> {
  await kubectl('patch', 'bpol', 'shop', '--type', 'merge', '-p', JSON.stringify({ spec }));
  await waitFor(
    'the policy in force',
    async () => {
      const { metadata, status } = JSON.parse(await kubectl('get', 'bpol', 'shop', '-o', 'json')) as BehaviorPolicy;
      return status?.observedGeneration === metadata.generation || undefined;
    },
    patience,
  );
  await sleep(1_500);
}
