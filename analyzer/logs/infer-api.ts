/** What a sample shows of one host: identity, flows and objects. */
import { create } from '@bufbuild/protobuf';
import { FLOW_METADATA_NAMESPACE, flowMetadataKey } from '@picket/proto/flow-metadata.ts';
import {
  type Flow,
  FlowSchema,
  FlowType,
  type ObjectRule,
  type PrincipalRule,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createGenerationMap } from '../identify/generation-map.ts';
import { readUserAgent } from '../identify/user-agent.ts';
import type { AccessRecord } from '../ingest/access-record.ts';
import { flowNames, flowTypeOf, templateOf } from './flow-words.ts';
import { createIdentitySample, ownerOf } from './infer-identity.ts';
import { createObjectSample } from './infer-objects.ts';
import {
  createOperationSample,
  headerSignInSuccess,
  inferOutcome,
  isRefusedAttempt,
  isServed,
  isSignInByHeader,
  minBurst,
  type OperationSample,
} from './infer-outcome.ts';
import { ownText } from './text-cache.ts';

export interface ApiSample {
  observe(r: AccessRecord): void;
  conclude(): InferredParts;
  /** Flows that came to light since the last conclusion; undefined when there are none. */
  later(): { flows: Flow[]; notes: string[] } | undefined;
  readonly requests: number;
  /** Requests that were answered with a page, a redirect or data. */
  readonly served: number;
}

export interface InferredParts {
  principals: PrincipalRule[];
  flows: Flow[];
  objects: ObjectRule[];
  notes: string[];
}

const maxOperations = 2000;
const maxClients = 20_000;
const maxFlows = 40;
const maxHeaderFlows = 10;
const followUpMs = 60_000;
/** A page that polls with an expired session is refused every few seconds; guessing is faster, and nothing links to it. */
const burstMs = 15_000;
const namesTried = 3;

const accountParameter = /(?:^|&)(user|username|user_name|userid|login|email|account|log)=[^&]/i;
const accountFields = ['/username', '/email', '/login', '/user', '/account', '/user_name', '/log', '/identifier'];
const accountKeys = accountFields.map((pointer) => flowMetadataKey('login', 'request', pointer));
const asset = /\.(?:css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|woff2?|ttf|otf|eot|mp4|webm)$/i;

/** What a manifest can state: no braces of the path's own, no wildcards. */
const plainTemplate = /^(?:\/(?:[^/{}*#?\s]+|\{id\d*\})?)*$/;

type TypedSample = OperationSample & { type: FlowType | undefined };

/** What a path as sent says, whoever asks: most requests of a site are for few paths. */
interface PathFacts {
  path: string;
  query: string;
  template: string;
  id: string;
  /** What it means under the method that it was asked with last. */
  method: string | undefined;
  type: FlowType | undefined;
}

/** What a client did last, to see what follows. Only who tried something has one. */
interface Client {
  redirected: OperationSample | undefined;
  refused: OperationSample | undefined;
  atMs: number;
  /** Refusals since `burstAtMs`. */
  burst: number;
  burstAtMs: number;
  burstOn: OperationSample | undefined;
  /** Names under which it was refused, a few of them. */
  names: string[];
  declaredBot: boolean;
}

export function createApiSample(): ApiSample {
  const operations = new Map<string, TypedSample>();
  const forms = new Set<string>();
  const clients = createClients();
  const identity = createIdentitySample();
  const objects = createObjectSample();
  /** `null`: a path of no operation. */
  const paths = createGenerationMap<string, PathFacts | null>(8192, (key) => key.length);
  const bots = createGenerationMap<string, boolean>(1024, (key) => key.length);
  const names = new Map<string, number>();
  const settled = new Set<OperationSample>();
  let headerFlows = 0;
  let requests = 0;
  let served = 0;
  let concluded = false;
  /** Operations that may have become flows since the last conclusion. */
  const ripe = new Set<TypedSample>();

  function pathOf(raw: string): PathFacts | null {
    let facts = paths.get(raw);
    if (facts === undefined) paths.set(raw, (facts = readPath(raw)));
    return facts;
  }

  function isBot(userAgent: string): boolean {
    let bot = bots.get(userAgent);
    if (bot === undefined) bots.set(userAgent, (bot = readUserAgent(userAgent, 0, 0).declaredBot));
    return bot;
  }

  /** Measured: 0.4 µs for a known path; a log of a million lines asks a million times. */
  function observe(r: AccessRecord): void {
    requests++;
    const answered = r.status >= 200 && r.status < 400;
    if (answered) served++;
    if (!concluded) identity.observe(r);
    const facts = pathOf(r.path);
    if (facts === null) return;
    const { query, template } = facts;
    if (!concluded && facts.id !== '' && answered) {
      // An address is no owner: most pages of a quiet site have one reader as well.
      const owner = ownerOf(r);
      if (owner !== '' && !isBot(r.userAgent)) objects.observe(template, facts.id, owner);
    }
    const before = clients.find(r);
    if (before) follow(before, template, r);
    if (facts.method !== r.method) {
      facts.method = r.method;
      facts.type = flowTypeOf(r.method, facts.path, query);
    }
    const { type } = facts;
    if (r.method === 'GET' && r.status === 200 && forms.size < maxOperations) forms.add(template);
    const attempt = type !== undefined || isRefusedAttempt(r.method, r.status);
    if (!attempt && r.method !== 'POST') return;
    const key = `${r.method} ${template}`;
    let op = operations.get(key);
    if (!attempt) {
      if (op) op.others++;
      return;
    }
    if (!op) {
      if (operations.size >= maxOperations) return;
      op = Object.assign(createOperationSample(r.method, template), { type });
      operations.set(key, op);
    }
    op.type ??= type;
    count(op, r, query, before ?? clients.add(r, isBot(r.userAgent)));
    if (!settled.has(op) && (op.type === undefined ? isSignInByHeader(op) : isServed(op))) ripe.add(op);
  }

  /** Flows of operations that have none yet, the busiest first. */
  function nameFlows(of: Iterable<TypedSample>, notes: string[]): Flow[] {
    const flows: Flow[] = [];
    const ranked = [...of].sort((a, b) => b.count - a.count || (a.template < b.template ? -1 : 1));
    ripe.clear();
    for (const op of ranked) {
      if (settled.size >= maxFlows || settled.has(op) || !isServed(op)) continue;
      if (op.type !== undefined && op.others <= op.count)
        flows.push(namedFlow(op, op.type, forms.has(op.template), names, notes));
      else if (isSignInByHeader(op) && headerFlows++ < maxHeaderFlows) flows.push(refusedFlow(op, names, notes));
      else continue;
      settled.add(op);
    }
    return flows;
  }

  function conclude(): InferredParts {
    concluded = true;
    const who = identity.conclude();
    const what = objects.conclude();
    const notes = [...who.notes, ...what.notes];
    const flows = nameFlows(operations.values(), notes);
    return { principals: who.rules, flows, objects: what.rules, notes };
  }

  function later(): { flows: Flow[]; notes: string[] } | undefined {
    if (ripe.size === 0) return undefined;
    const notes: string[] = [];
    const flows = nameFlows(ripe, notes);
    return flows.length > 0 ? { flows, notes } : undefined;
  }

  return {
    observe,
    conclude,
    later,
    get requests() {
      return requests;
    },
    get served() {
      return served;
    },
  };
}

function readPath(raw: string): PathFacts | null {
  const question = raw.indexOf('?');
  const path = question < 0 ? raw : raw.slice(0, question);
  if (path.charCodeAt(0) !== 47 || path.length > 512 || asset.test(path)) return null;
  const { template, id } = templateOf(path);
  if (!plainTemplate.test(template)) return null;
  const query = question < 0 ? '' : raw.slice(question + 1);
  return { path, query, template, id, method: undefined, type: undefined };
}

/** By user agent, then by address: the two put together would be a new text to hash with every request. */
function createClients() {
  const byAgent = new Map<string, Map<string, Client>>();
  /** In the order they came, from `oldest` on. */
  const order: { userAgent: string; address: string }[] = [];
  let oldest = 0;

  function forgetOldest(): void {
    const { userAgent, address } = order[oldest] as { userAgent: string; address: string };
    const clients = byAgent.get(userAgent);
    clients?.delete(address);
    if (clients?.size === 0) byAgent.delete(userAgent);
  }

  return {
    find: (r: AccessRecord): Client | undefined => byAgent.get(r.userAgent)?.get(r.remoteAddress),
    add(r: AccessRecord, declaredBot: boolean): Client {
      const client: Client = {
        redirected: undefined,
        refused: undefined,
        atMs: 0,
        burst: 0,
        burstAtMs: 0,
        burstOn: undefined,
        names: [],
        declaredBot,
      };
      const key = { userAgent: r.userAgent, address: ownText(r.remoteAddress) };
      if (order.length < maxClients) order.push(key);
      else {
        forgetOldest();
        order[oldest] = key;
        oldest = (oldest + 1) % maxClients;
      }
      let clients = byAgent.get(key.userAgent);
      if (!clients) byAgent.set(key.userAgent, (clients = new Map()));
      clients.set(key.address, client);
      return client;
    },
  };
}

/** Tells what the client's last attempt led to. */
function follow(client: Client, template: string, r: AccessRecord): void {
  const recent = r.startedAtMs - client.atMs <= followUpMs;
  if (client.redirected && r.method === 'GET') {
    if (recent) {
      if (client.redirected.template === template) client.redirected.redirectedBack++;
      else client.redirected.redirectedOn++;
    }
    client.redirected = undefined;
  }
  if (client.refused) {
    const through = recent && client.refused.template === template && r.status >= 200 && r.status < 400;
    if (through) client.refused.challenged++;
    client.refused = undefined;
  }
}

function count(op: OperationSample, r: AccessRecord, query: string, client: Client): void {
  op.count++;
  op.statuses.set(r.status, (op.statuses.get(r.status) ?? 0) + 1);
  client.atMs = r.startedAtMs;
  if (r.status === 302 || r.status === 303) client.redirected = op;
  if (isRefusedAttempt(r.method, r.status)) {
    op.refused++;
    client.refused = op;
    if (client.burstOn !== op || r.startedAtMs - client.burstAtMs > burstMs) {
      client.burst = 0;
      client.burstAtMs = r.startedAtMs;
      client.burstOn = op;
    }
    client.burst++;
    if (r.logUser !== '' && client.names.length < namesTried && !client.names.includes(r.logUser))
      client.names.push(r.logUser);
    // One name again and again is an old password of somebody's; several at any pace are tried out.
    if (client.names.length >= namesTried) client.burst = Math.max(client.burst, minBurst);
    // A monitor that was never given a password asks all day; a name beside the refusal means that one was tried.
    const tried = r.referer === '' || r.logUser !== '';
    if (!client.declaredBot && tried && client.burst > op.refusedBurst) op.refusedBurst = client.burst;
  }
  const parameter = accountParameter.exec(query)?.[1];
  if (parameter !== undefined) op.accountParameters.set(parameter, (op.accountParameters.get(parameter) ?? 0) + 1);
  if (op.accountField !== '') return;
  const known = accountKeys.findIndex((key) => r.metadata(FLOW_METADATA_NAMESPACE, key) !== undefined);
  op.accountField = accountFields[known] ?? '';
}

function namedFlow(
  op: OperationSample,
  type: FlowType,
  hasForm: boolean,
  names: Map<string, number>,
  notes: string[],
): Flow {
  const flow = create(FlowSchema, {
    name: unique(flowNames[type], names),
    type,
    method: op.method,
    path: op.template,
  });
  if (type !== FlowType.LOGIN) return flow;
  const [parameter] = [...op.accountParameters].sort((a, b) => b[1] - a[1]);
  if (op.accountField !== '') flow.account = accountOf('requestField', op.accountField);
  else if (parameter && parameter[1] * 2 >= op.count) flow.account = accountOf('query', parameter[0]);
  const outcome = inferOutcome(op, hasForm);
  applySuccess(flow, outcome.success);
  const how = outcome.success.length > 0 ? `success is ${outcome.success.join(', ')}` : 'success is learned';
  notes.push(`${op.method} ${op.template} is a login (${op.count} attempts); ${how}: ${outcome.because}`);
  return flow;
}

function refusedFlow(op: OperationSample, names: Map<string, number>, notes: string[]): Flow {
  const flow = create(FlowSchema, {
    name: unique('sign-in', names),
    type: FlowType.LOGIN,
    method: op.method,
    path: op.template,
  });
  applySuccess(flow, headerSignInSuccess);
  notes.push(
    op.statuses.has(401)
      ? `${op.method} ${op.template} asks for a password by header (${op.refused} answers 401): counted as login attempts`
      : `${op.method} ${op.template} refuses what one client sends again and again (${op.refused} answers 403): counted as login attempts`,
  );
  return flow;
}

function accountOf(source: 'requestField' | 'query', value: string): NonNullable<Flow['account']> {
  return create(FlowSchema, { account: { from: { case: source, value } } }).account as NonNullable<Flow['account']>;
}

function applySuccess(flow: Flow, codes: readonly number[]): void {
  if (codes.length === 0) return;
  flow.success = create(FlowSchema, {
    success: [{ all: [{ test: { case: 'status', value: { codes: [...codes] } } }] }],
  }).success;
}

function unique(name: string, names: Map<string, number>): string {
  const n = (names.get(name) ?? 0) + 1;
  names.set(name, n);
  return n === 1 ? name : `${name}-${n}`;
}
