/**
 * What the end-to-end tests play on: an application, a folder of manifests, an ordinary day to learn from, people with
 * addresses of their own, and a caller who tries leaked passwords.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { shapeHeaders } from '@picket/proto/access-log.ts';
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import { createHttpClient, type HttpReply } from '../support/http-client.ts';
import { type Picket, type PicketOptions, startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';

export interface Stage {
  readonly folder: string;
  readonly manifests: string;
  /** Access log of the day before: enough of a baseline for the product's default safety. */
  readonly history: string;
  readonly upstreamPort: number;
  /** Requests that reached the application, by path. */
  readonly served: Map<string, number>;
  /** Replaces a manifest in one step. */
  write(file: string, text: string): void;
  remove(file: string): void;
  /** Answers the requests to `/v1/slow`, which wait for it. */
  release(): void;
  /** Starts `picket up` on this stage, with its own Envoy unless `attach`. History is read the first time only. */
  start(options?: Partial<PicketOptions> & { attach?: boolean }): Promise<Picket>;
  close(): Promise<void>;
}

export const api = `apiVersion: picket.dev/v1alpha1
kind: ProtectedAPI
metadata: { name: shop, namespace: default }
spec:
  hosts: ["*"]
  pathPrefix: /v1
  identity:
    principals:
    - kind: User
      from: { jwtClaim: { claim: sub } }
  flows:
  - name: login
    type: Login
    match: { method: POST, path: /v1/login }
    account: { requestField: /username }
    success: { anyOf: [ { responseField: { pointer: /ok, equals: true } } ] }
`;

export function policy(mode: string, options: { denyFor?: string; safety?: string } = {}): string {
  return `apiVersion: picket.dev/v1alpha1
kind: BehaviorPolicy
metadata: { name: shop, namespace: default }
spec:
  targetRefs: [ { kind: ProtectedAPI, name: shop } ]
  mode: ${mode}
  responses:
  - { level: High, action: Deny, for: ${options.denyFor ?? '10m'} }
  actOn: [User, App, Token, Address, Campaign]
${options.safety === undefined ? '' : `  safety: ${options.safety}\n`}`;
}

export async function createStage(mode = 'Enforce', options: Parameters<typeof policy>[1] = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-e2e-'));
  const manifests = join(folder, 'manifests');
  mkdirSync(manifests);
  const served = new Map<string, number>();
  const held: (() => void)[] = [];
  const application = await startApplication(served, held);
  const upstreamPort = (application.address() as AddressInfo).port;
  const history = join(folder, 'day.log');
  writeFileSync(history, ordinaryDay(Date.now()));
  let started = false;
  const stage: Stage = {
    folder,
    manifests,
    history,
    upstreamPort,
    served,
    write(file, text) {
      const draft = join(folder, `${file}.draft`);
      writeFileSync(draft, text);
      renameSync(draft, join(manifests, file));
    },
    remove: (file) => rmSync(join(manifests, file)),
    release() {
      for (const answer of held.splice(0)) answer();
    },
    start({ attach = false, ...more } = {}) {
      const past = started ? [] : ['--history', history];
      started = true;
      return startPicket({
        manifests,
        folder,
        ...(attach ? {} : { upstreamPort }),
        ...more,
        args: [...past, '--log-level', 'debug', ...(more.args ?? [])],
      });
    },
    async close() {
      application.closeAllConnections();
      await new Promise((resolve) => application.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  stage.write('api.yaml', api);
  stage.write('policy.yaml', policy(mode, options));
  return stage;
}

/** Answers everything with 200; a login says in its body whether it succeeded. */
function startApplication(served: Map<string, number>, held: (() => void)[]): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      served.set(path, (served.get(path) ?? 0) + 1);
      const bytes = Buffer.concat(chunks);
      if (path === '/v1/slow') {
        held.push(() => response.end('{}'));
        return;
      }
      const ok = path !== '/v1/login' || bytes.includes('"right"');
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ok, bytes: bytes.length }));
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const people = 120;
const dayMs = 25 * 3_600_000;

/** Where ordinary people come from and what they read. */
export interface Crowd {
  /** Address of an ordinary person, the same in the day before and live. */
  addressOf(person: number): string;
  /** What the i-th request of all asks for. */
  pathOf(i: number): string;
}

/** Of the crowd on loopback. */
export function personAddress(i: number): string {
  return `127.20.${i % 120}.${10 + (i % 7)}`;
}

const crowd: Crowd = {
  addressOf: personAddress,
  pathOf: (i) => (i % 9 === 0 ? '/v1/basket' : `/v1/products/${(i * 7) % 40}`),
};

/** A day of ordinary requests in the combined format, which ends a minute before `now`. */
export function ordinaryDay(now: number, { addressOf, pathOf }: Crowd = crowd): string {
  const lines: string[] = [];
  const requests = 2400;
  const perVisit = 10;
  for (let i = 0; i < requests; i++) {
    const visit = Math.floor(i / perVisit);
    const at = new Date(now - 120_000 - dayMs + (dayMs * visit * perVisit) / requests + (i % perVisit) * 3000);
    const stamp = at.toISOString();
    const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][
      at.getUTCMonth()
    ];
    const time = `${stamp.slice(8, 10)}/${month}/${stamp.slice(0, 4)}:${stamp.slice(11, 19)} +0000`;
    lines.push(
      `${addressOf(visit % people)} - - [${time}] "GET ${pathOf(i)} HTTP/1.1" 200 512 "-" "Mozilla/5.0 (person)"`,
    );
  }
  return `${lines.join('\n')}\n`;
}

export interface Caller {
  ask(path: string, headers?: Record<string, string>): Promise<HttpReply>;
  /** Status of the answer; 0 when there was none. */
  get(path: string, headers?: Record<string, string>): Promise<number>;
  login(username: string, password: string, headers?: Record<string, string>): Promise<number>;
  close(): void;
}

/** Where callers connect to: a port of loopback, or of a host, there also how long they wait for an answer. */
export type Door = number | { host: string; port: number; timeoutMs?: number };

export function caller(
  door: Door,
  address: string,
  agent = 'Mozilla/5.0 (person)',
  more: Record<string, string> = {},
): Caller {
  const client = createHttpClient({ ...(typeof door === 'number' ? { port: door } : door), localAddress: address });
  const common = { 'user-agent': agent, ...more };
  const ask: Caller['ask'] = (path, headers = {}) =>
    client.send({ method: 'GET', path, headers: { ...common, ...headers } });
  return {
    ask,
    get: async (path, headers) => (await ask(path, headers)).status,
    login: async (username, password, headers = {}) =>
      (
        await client.send({
          method: 'POST',
          path: '/v1/login',
          headers: { ...common, ...headers },
          body: { username, password },
        })
      ).status,
    close: () => client.close(),
  };
}

/**
 * An attacker's client. Each address has a program and headers of its own: attackers who look alike would be met as one
 * campaign, and a test could not tell whose decision it sees.
 */
export function attacker(door: Door, address: string): Caller {
  let mixed = 0;
  for (const byte of Buffer.from(address)) mixed = Math.imul(mixed ^ byte, 0x01000193) >>> 0;
  const names = shapeHeaders.filter((name, i) => mixed & (1 << i) && !reserved.has(name));
  return caller(door, address, `curl/8 (${address})`, Object.fromEntries(names.map((name) => [name, 'x'])));
}

/** Headers that mean something to the application, to Envoy or to Picket's identification. */
const reserved = new Set(['authorization', 'cookie', 'content-type', 'x-forwarded-for', 'te']);

/** Tries leaked passwords of many accounts from one address; returns the answers. */
export async function stuff(
  door: Door,
  address: string,
  attempts = 40,
  headers: Record<string, string> = {},
): Promise<number[]> {
  const client = attacker(door, address);
  const answers: number[] = [];
  for (let i = 0; i < attempts; i++) answers.push(await client.login(`account-${address}-${i}`, 'leaked', headers));
  client.close();
  return answers;
}

/** What an attack needs to know of a Picket, however it runs. */
export interface Watched {
  ports: { traffic: Door };
  /** Whose last words explain a failure. */
  process?: Picket['process'];
  /** A path that is answered with 200; `/v1/basket` unless given. */
  path?: string;
  verdicts(): Promise<RiskVerdict[]>;
}

/** Attacks until Envoy refuses, and returns the verdict behind it. */
export async function provoke(picket: Watched, address: string): Promise<RiskVerdict> {
  const before = new Set((await picket.verdicts()).map((v) => v.metadata.name));
  // On a slow machine a short decision may be over before the attack is.
  const answers = await stuff(picket.ports.traffic, address);
  if (!answers.includes(403)) await refused(picket, address);
  return waitFor(
    `verdict on ${address}`,
    async () => (await picket.verdicts()).find((v) => !before.has(v.metadata.name) && v.status?.decision !== undefined),
    picket.process ? { process: picket.process } : {},
  );
}

/** Waits until Envoy refuses the address, whatever it asks for. */
export async function refused(picket: Pick<Watched, 'ports' | 'path'>, address: string): Promise<void> {
  await answered(picket, address, 403);
}

/** What the address is answered now. */
export async function answerTo({ ports, path }: Pick<Watched, 'ports' | 'path'>, address: string): Promise<number> {
  const client = attacker(ports.traffic, address);
  try {
    return await client.get(path ?? '/v1/basket');
  } finally {
    client.close();
  }
}

export async function answered(
  picket: Pick<Watched, 'ports' | 'path'>,
  address: string,
  status: number,
  timeoutMs = 90_000,
): Promise<void> {
  const client = attacker(picket.ports.traffic, address);
  try {
    await waitFor(
      `status ${status} for ${address}`,
      async () => ((await client.get(picket.path ?? '/v1/basket')) === status ? true : undefined),
      { timeoutMs, everyMs: 100 },
    );
  } finally {
    client.close();
  }
}

export interface OrdinaryTraffic {
  sent(): number;
  /** Status of every answer that was not 200, or why there was none. */
  readonly bad: readonly (number | string)[];
  stop(): Promise<{ sent: number; bad: readonly (number | string)[] }>;
}

/** People at their usual pace, each from an own address, until `stop`. */
export function ordinaryTraffic(door: Door, { addressOf, pathOf }: Crowd = crowd): OrdinaryTraffic {
  const callers = Array.from({ length: 40 }, (_, i) => caller(door, addressOf(i * 3)));
  const bad: (number | string)[] = [];
  let sent = 0;
  const stopping = new AbortController();
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});
  const loops = callers.map(async (one, i) => {
    await pause(i * 70);
    while (!stopping.signal.aborted) {
      const { status, error } = await one.ask(pathOf(sent + i));
      sent++;
      if (status !== 200) bad.push(error ?? status);
      await pause(2_000 + ((sent * 37 + i * 211) % 3_000));
    }
  });
  return {
    sent: () => sent,
    bad,
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      for (const one of callers) one.close();
      return { sent, bad };
    },
  };
}

/** Admin interface of the Envoy that Picket runs. */
export function envoyAdmin(picket: Picket): string {
  const config = JSON.parse(readFileSync(join(picket.folder, 'data/envoy/bootstrap.json'), 'utf8')) as {
    admin: { address: { socketAddress: { address: string; portValue: number } } };
  };
  const { address, portValue } = config.admin.address.socketAddress;
  return `http://${address}:${portValue}`;
}

/** All of Envoy's configuration, without when and under which version it came. */
export async function configDump(picket: Picket): Promise<unknown> {
  const text = await (await fetch(`${envoyAdmin(picket)}/config_dump`)).text();
  return JSON.parse(text, (key, value: unknown) =>
    key === 'last_updated' || key === 'version_info' ? undefined : value,
  );
}
