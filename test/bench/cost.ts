/**
 * What Picket costs the traffic: one Envoy per variant in front of the same upstream, loaded in turns at a quarter of
 * what the bare one can carry. CPU is that of the Envoy process alone, latency is what the client saw.
 */
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { toBinary } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket, decisionKey, parseApiName } from '@picket/proto/subjects.ts';
import type { Fleet } from '@picket/operator/envoy/fleet.ts';
import { addresses, bootstrapFor, decision, shopPolicies, startTestFleet, user } from '../integration/ecds-fixture.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { waitFor } from '../support/processes.ts';
import { startCountingAls } from './counting-als.ts';
import { cpuMicroseconds, load } from './load.ts';
import { type Estimate, estimate, median, quantile } from './statistics.ts';

/** Of a request, against the bare Envoy in the same round. */
export interface CostFigures {
  cpuMicroseconds: Estimate;
  /** Of the round that was disturbed least: other work on the machine only ever adds. */
  leastCpuMicroseconds: number;
  addedCpuMicroseconds: Estimate;
  p50Ms: number;
  p99Ms: number;
  addedP50Ms: Estimate;
  addedP99Ms: Estimate;
}

export interface CostReport {
  rounds: number;
  /** Of the bare Envoy, HTTP/1.1 on eight connections. */
  saturationPerSecond: number;
  /** Absent: as many as went. */
  requestsPerSecond?: number;
  requests: number;
  /** Access log entries that arrived for them, of the variants that send any. */
  logged: number;
  variants: Record<string, CostFigures>;
  notMeasured: Record<string, string>;
}

type Filter = { name: string };
interface Manager {
  accessLog: object[];
  httpFilters: Filter[];
}

/** What stays in the connection manager; the router always does. */
interface Variant {
  accessLog: boolean;
  keeps(filter: string): boolean;
  /** Connects to the fleet with decisions in force, not to the idle one. */
  loaded?: boolean;
}

const pushed = (name: string): boolean => name.startsWith('picket.decide') || name.startsWith('picket.address');

const mainVariants: Readonly<Record<string, Variant>> = {
  bare: { accessLog: false, keeps: () => false },
  accessLog: { accessLog: true, keeps: () => false },
  filters: { accessLog: true, keeps: () => true },
  filtersWithDecisions: { accessLog: true, keeps: () => true, loaded: true },
};

/** Each part alone on the bare Envoy. */
const partVariants: Readonly<Record<string, Variant>> = {
  bare: { accessLog: false, keeps: () => false },
  accessLog: { accessLog: true, keeps: () => false },
  identify: { accessLog: false, keeps: (name) => name === 'picket.identify' },
  layers: { accessLog: false, keeps: pushed },
  limiter: { accessLog: false, keeps: (name) => name === 'picket.limit' },
  tag: { accessLog: false, keeps: (name) => name === 'picket.tag' },
  flow: { accessLog: false, keeps: (name) => name === 'picket.flow' },
  filters: { accessLog: false, keeps: () => true },
  filtersWithDecisions: { accessLog: false, keeps: () => true, loaded: true },
};

const headers = {
  host: 'shop.example',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  accept: 'text/html,application/xhtml+xml',
  'accept-language': 'en-GB,en;q=0.8',
  'x-user': 'somebody-in-good-standing',
};
const connections = 8;
const saturationS = 4;

/** How a variant is loaded in its turn. */
interface Turn {
  connections: number;
  /** Left out: as many requests as go, so many streams at a time. */
  share?: number;
  streams?: number;
  for: { seconds: number } | { requests: number };
}

/** At a quarter of saturation, as an Envoy is run. */
export function runCost(quick: boolean): Promise<CostReport> {
  return measure(mainVariants, quick ? 3 : 12, { connections, share: 0.25, for: { seconds: quick ? 2 : 4 } });
}

/** Part by part, many requests at a time and in short turns: what stands in Envoy's own code shows best. */
export function runCostParts(quick: boolean): Promise<CostReport> {
  return measure(partVariants, quick ? 15 : 60, { connections: 1, streams: 50, for: { requests: 4_000 } });
}

async function measure(variants: Readonly<Record<string, Variant>>, rounds: number, turn: Turn): Promise<CostReport> {
  const closing: (() => Promise<unknown> | void)[] = [];
  try {
    const upstream = await startEnvoy({ bootstrap: answeringBootstrap() });
    closing.push(() => upstream.stop());
    const upstreamPort = await upstream.listenerPort('answer');
    const als = await startCountingAls();
    closing.push(() => als.close());
    const idle = await startFleetWith([]);
    closing.push(idle.close);
    const loaded = await startFleetWith(inForce());
    closing.push(loaded.close);
    const running = new Map<string, { envoy: Envoy; port: number }>();
    for (const [name, variant] of Object.entries(variants)) {
      const { fleet } = variant.loaded ? loaded : idle;
      const envoy = await startEnvoy({ bootstrap: bootstrapOf(name, variant, fleet.port, upstreamPort, als.port) });
      closing.push(() => envoy.stop());
      running.set(name, { envoy, port: await envoy.listenerPort('ingress') });
    }
    if (Object.values(variants).some((v) => v.loaded)) await loaded.programmed();
    const bare = running.get('bare') as { envoy: Envoy; port: number };
    const request = { path: '/orders/17?sort=asc', headers };
    const saturated = await load({ ...request, port: bare.port, connections, for: { seconds: saturationS } });
    const saturationPerSecond = Math.round(saturated.requests / saturationS);
    const requestsPerSecond = turn.share === undefined ? undefined : Math.round(saturationPerSecond * turn.share);
    const pace = { ...turn, ...request, ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }) };
    const names = [...running.keys()];
    const samples = new Map(names.map((name) => [name, [] as { cpu: number; p50: number; p99: number }[]]));
    let requests = 0;
    let expected = 0;
    for (const { port } of running.values()) await load({ ...pace, port, for: { seconds: 1 } });
    const loggedBefore = als.entries();
    for (let round = 0; round < rounds; round++) {
      // Whoever goes first in one round goes last in another.
      for (const [i] of names.entries()) {
        const name = names[(i + round) % names.length] as string;
        const { envoy, port } = running.get(name) as { envoy: Envoy; port: number };
        const before = cpuMicroseconds(envoy.process.pid);
        const result = await load({ ...pace, port });
        const cpu = (cpuMicroseconds(envoy.process.pid) - before) / result.requests;
        if (result.failed > 0) throw new Error(`${name}: ${result.failed} of ${result.requests} requests failed`);
        requests += result.requests;
        if (variants[name]?.accessLog) expected += result.requests;
        const { latenciesMs } = result;
        samples.get(name)?.push({ cpu, p50: median(latenciesMs), p99: quantile(latenciesMs, 0.99) });
      }
    }
    await waitFor('access log entries', () => (als.entries() - loggedBefore >= expected ? true : undefined));
    const base = samples.get('bare') ?? [];
    return {
      rounds,
      saturationPerSecond,
      ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
      requests,
      logged: als.entries() - loggedBefore,
      variants: Object.fromEntries(
        names.map((name) => {
          const own = samples.get(name) ?? [];
          const added = (pick: (s: (typeof own)[0]) => number): number[] =>
            own.map((sample, i) => pick(sample) - pick(base[i] as (typeof own)[0]));
          return [
            name,
            {
              cpuMicroseconds: estimate(own.map((s) => s.cpu)),
              leastCpuMicroseconds: Number(Math.min(...own.map((s) => s.cpu)).toFixed(2)),
              addedCpuMicroseconds: estimate(added((s) => s.cpu)),
              p50Ms: Number(median(own.map((s) => s.p50)).toFixed(3)),
              p99Ms: Number(median(own.map((s) => s.p99)).toFixed(3)),
              addedP50Ms: estimate(
                added((s) => s.p50),
                3,
              ),
              addedP99Ms: estimate(
                added((s) => s.p99),
                3,
              ),
            },
          ];
        }),
      ),
      notMeasured: { mirror: 'the ext_proc mirror does not exist yet' },
    };
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

function bootstrapOf(name: string, variant: Variant, xdsPort: number, upstreamPort: number, alsPort: number): object {
  const bootstrap = structuredClone(
    bootstrapFor(shopPolicies(), xdsPort, upstreamPort, {
      bootstrap: { node: `envoy-${name}`, als: { host: '127.0.0.1', port: alsPort } },
    }),
  ) as { staticResources: { listeners: { filterChains: { filters: { typedConfig: Manager }[] }[] }[] } };
  const manager = bootstrap.staticResources.listeners[0]?.filterChains[0]?.filters[0]?.typedConfig;
  if (!manager) throw new Error('the bootstrap has no connection manager');
  if (!variant.accessLog) manager.accessLog = [];
  manager.httpFilters = manager.httpFilters.filter((f) => !f.name.startsWith('picket.') || variant.keeps(f.name));
  return bootstrap;
}

/** An Envoy that answers by itself: fast, steady, and a process of its own. */
function answeringBootstrap(): object {
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'answer',
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'x'.repeat(512) } } },
          ],
        },
      ],
    },
    http_filters: [
      {
        name: 'router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  const listener = {
    name: 'answer',
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  };
  return { static_resources: { listeners: [listener] } };
}

/** What stands against others while somebody in good standing is served. */
function inForce(): Decision[] {
  const many = (count: number, make: (i: number) => Parameters<typeof decision>[0]): Decision[] =>
    Array.from({ length: count }, (_, i) => decision(make(i)));
  return [
    ...many(400, (i) => ({ id: `dec-deny-${i}`, match: [user(`abuser-${i}`)] })),
    ...many(50, (i) => ({ id: `dec-tag-${i}`, match: [user(`odd-${i}`)], action: Action.TAG })),
    ...many(50, (i) => ({ id: `dec-slow-${i}`, match: [user(`fast-${i}`)], action: Action.THROTTLE })),
    ...many(1000, (i) => ({
      id: `dec-address-${i}`,
      kind: PrincipalKind.ADDRESS,
      match: [addresses(`10.${i >> 8}.${i & 255}.7`)],
    })),
    ...many(20, (i) => ({
      id: `dec-campaign-${i}`,
      kind: PrincipalKind.CAMPAIGN,
      match: [{ case: 'userAgent', value: `bot/${i}` }, addresses(`10.200.${i}.0/24`)],
    })),
  ];
}

async function startFleetWith(
  decisions: readonly Decision[],
): Promise<{ fleet: Fleet; programmed(): Promise<void>; close(): Promise<void> }> {
  const bus = createMemoryBus();
  const bucket = await bus.bucket(Bucket.decisions);
  for (const d of decisions) {
    const key = decisionKey({ fleet: d.fleet, ...parseApiName(d.api), kind: d.kind, pseudonym: d.pseudonym });
    await bucket.put(key, toBinary(DecisionSchema, d));
  }
  const fleet = await startTestFleet(bus);
  fleet.setPolicies(shopPolicies());
  return {
    fleet,
    async programmed() {
      await waitFor(
        'all decisions in Envoy',
        () => (fleet.decisions().every((d) => d.programmedAtMs !== undefined) ? true : undefined),
        { everyMs: 200, timeoutMs: 60_000 },
      );
    },
    async close() {
      await fleet.close();
      await bus.close();
    },
  };
}
