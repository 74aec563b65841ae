/** A fleet with one real Envoy in front of a small application, for tests of enforcement. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Fleet, type FleetOptions, startFleet } from '@picket/operator/envoy/fleet.ts';
import { type BootstrapOptions, renderBootstrap } from '@picket/operator/envoy/render/bootstrap.ts';
import {
  type Decision,
  DecisionSchema,
  type Predicate,
  PredicateSchema,
} from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import {
  Action,
  type CompiledPolicy,
  CompiledPolicySchema,
  Level,
  Mode,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket, decisionKey, parseApiName } from '@picket/proto/subjects.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { createHttpClient, type HttpClient } from '../support/http-client.ts';
import { waitFor } from '../support/processes.ts';

export const fleetName = 'shop';

/** Two APIs behind one Envoy; `x-user` and `x-api-key` stand in for what authentication would put there. */
export function shopPolicies(): CompiledPolicy[] {
  const principals = [
    { kind: PrincipalKind.USER, from: header('x-user'), enforceAs: prefix(16) },
    { kind: PrincipalKind.APP, from: header('x-api-key'), enforceAs: prefix(8) },
  ];
  return [
    create(CompiledPolicySchema, {
      api: 'shop/orders',
      apiUid: 'uid-orders',
      fleet: fleetName,
      hosts: ['shop.example'],
      pathPrefix: '/orders',
      principals,
      flows: [
        {
          name: 'login',
          method: 'POST',
          path: '/orders/login',
          account: { from: { case: 'requestField', value: '/user/name' } },
          success: [
            {
              all: [{ test: { case: 'responseField', value: { pointer: '/ok', equalsJson: 'true' } } }],
            },
          ],
        },
      ],
    }),
    create(CompiledPolicySchema, {
      api: 'shop/catalogue',
      apiUid: 'uid-catalogue',
      fleet: fleetName,
      hosts: ['shop.example'],
      pathPrefix: '',
      principals,
    }),
  ];
}

function header(name: string): { case: 'header'; value: string } {
  return { case: 'header', value: name };
}

function prefix(length: number): { case: 'prefix'; value: number } {
  return { case: 'prefix', value: length };
}

export interface DecisionFields {
  id: string;
  api?: 'orders' | 'catalogue';
  kind?: PrincipalKind;
  pseudonym?: string;
  action?: Action;
  mode?: Mode;
  level?: Level;
  score?: number;
  requestsPerMinute?: number;
  forMs?: number;
  match: Predicate['predicate'][];
}

let pseudonyms = 0;

export function decision(fields: DecisionFields): Decision {
  const api = fields.api ?? 'orders';
  pseudonyms++;
  return create(DecisionSchema, {
    id: fields.id,
    fleet: fleetName,
    api: `shop/${api}`,
    apiUid: `uid-${api}`,
    policy: 'shop/default',
    verdict: `v-${fields.id}`,
    kind: fields.kind ?? PrincipalKind.USER,
    pseudonym: fields.pseudonym ?? pseudonyms.toString(16).padStart(16, '0'),
    action: fields.action ?? Action.DENY,
    mode: fields.mode ?? Mode.ENFORCE,
    level: fields.level ?? Level.CRITICAL,
    score: fields.score ?? 90,
    throttleRequestsPerMinute: fields.requestsPerMinute ?? 30,
    match: fields.match.map((predicate) => create(PredicateSchema, { predicate })),
    decidedAtMs: BigInt(systemClock.now()),
    expiresAtMs: BigInt(systemClock.now() + (fields.forMs ?? 600_000)),
  });
}

export function user(value: string): Predicate['predicate'] {
  return {
    case: 'entity',
    value: { $typeName: 'picket.decision.v1.Entity', kind: PrincipalKind.USER, value },
  };
}

export function app(value: string): Predicate['predicate'] {
  return { case: 'entity', value: { $typeName: 'picket.decision.v1.Entity', kind: PrincipalKind.APP, value } };
}

export function addresses(...cidrs: string[]): Predicate['predicate'] {
  return { case: 'addresses', value: { $typeName: 'picket.decision.v1.AddressSet', cidrs } };
}

export interface Stage {
  bus: Bus;
  fleet: Fleet;
  envoy: Envoy;
  client: HttpClient;
  /** What the application saw of the last request: its headers. */
  seen: Record<string, string | string[] | undefined>[];
  decide(decision: Decision): Promise<void>;
  lift(decision: Decision): Promise<void>;
  /** Resolves once every Envoy acknowledged the decision. */
  programmed(decision: Decision): Promise<void>;
  get(path: string, headers?: Record<string, string>): Promise<number>;
  stop(): Promise<void>;
}

export interface StageOptions {
  policies?: CompiledPolicy[];
  fleet?: Partial<FleetOptions>;
  bootstrap?: Partial<BootstrapOptions>;
  listener?: Partial<BootstrapOptions['listener']>;
}

export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const bus = createMemoryBus();
  const policies = options.policies ?? shopPolicies();
  const fleet = await startTestFleet(bus, options.fleet);
  fleet.setPolicies(policies);
  const seen: Stage['seen'] = [];
  const application = await startApplication(seen);
  const envoy = await startEnvoy({
    bootstrap: bootstrapFor(policies, fleet.port, portOf(application), options),
  });
  const port = await envoy.listenerPort('ingress');
  const client = createHttpClient({ port });
  await waitFor(
    'identity rules acknowledged',
    () => (fleet.policyProgramming('shop/orders').programmedEnvoys === 1 ? true : undefined),
    { everyMs: 10 },
  );
  const bucket = await bus.bucket(Bucket.decisions);
  const keyOf = (d: Decision) =>
    decisionKey({ fleet: d.fleet, ...parseApiName(d.api), kind: d.kind, pseudonym: d.pseudonym });
  return {
    bus,
    fleet,
    envoy,
    client,
    seen,
    decide: (d) => bucket.put(keyOf(d), toBinary(DecisionSchema, d)),
    lift: (d) => bucket.delete(keyOf(d)),
    async programmed(d) {
      await waitFor(
        `decision ${d.id} programmed`,
        () => (fleet.programmed(d.id).programmedAtMs === undefined ? undefined : true),
        { everyMs: 5 },
      );
    },
    async get(path, headers = {}) {
      return (await client.send({ method: 'GET', path, headers: { host: 'shop.example', ...headers } })).status;
    },
    async stop() {
      client.close();
      await envoy.stop();
      await fleet.close();
      await bus.close();
      await new Promise((resolve) => application.close(resolve));
    },
  };
}

export function startTestFleet(bus: Bus, overrides: Partial<FleetOptions> = {}): Promise<Fleet> {
  return startFleet({
    replica: '',
    fleet: fleetName,
    bus,
    clock: systemClock,
    log: silentLogger,
    listen: { host: '127.0.0.1', port: 0 },
    ttlMs: 300_000,
    ja4: false,
    onChange() {},
    ...overrides,
  });
}

export function bootstrapFor(
  policies: CompiledPolicy[],
  xdsPort: number,
  upstreamPort: number,
  options: StageOptions = {},
): object {
  return renderBootstrap(policies, {
    node: 'envoy-1',
    fleet: fleetName,
    admin: { host: '127.0.0.1', port: 0 },
    upstream: { host: '127.0.0.1', port: upstreamPort },
    xds: { host: '127.0.0.1', port: xdsPort },
    als: { host: '127.0.0.1', port: xdsPort },
    ...options.bootstrap,
    listener: {
      address: { host: '127.0.0.1', port: 0 },
      logName: 'picket',
      trustedHops: 1,
      shapeHeaders: ['accept', 'accept-language'],
      maxFlowBodyBytes: 65_536,
      ...options.listener,
    },
  });
}

/** Answers every request with 200 and how many bytes of body it got. */
export function startApplication(seen: Stage['seen']): Promise<Server> {
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => {
      seen.push(request.headers);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ok: true, bytes }));
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
