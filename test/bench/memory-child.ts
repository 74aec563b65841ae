/** One measurement of `memory.ts`, in a process that does nothing else. */
import { getHeapSpaceStatistics } from 'node:v8';
import { create } from '@bufbuild/protobuf';
import { type Analysis, createAnalysis } from '@picket/analyzer/analysis.ts';
import { F, Flag, Outcome } from '@picket/analyzer/observation.ts';
import { apiIdOf } from '@picket/analyzer/operations/template.ts';
import { fold } from '@picket/analyzer/profile/hash.ts';
import { CompiledPolicySchema, FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';

export interface PrincipalFigures {
  /** With a profile: users, tokens, addresses and the clients behind them. */
  principals: number;
  requestsPerPrincipal: number;
  operations: number;
  /** (RSS now − RSS of the empty engine) / principals. */
  bytesPerPrincipal: number;
  tableBytesPerPrincipal: number;
  /** JavaScript objects that are in use. */
  heapBytesPerPrincipal: number;
  /** By how much the young generation grew meanwhile: a matter of how busy the process is, not of how many it knows. */
  youngGenerationBytes: number;
  emptyRssBytes: number;
  rssBytes: number;
}

export interface ChurnFigures {
  /** Different keys that came, and places for them. */
  keys: number;
  profiles: number;
  evicted: number;
  /** When the tables had filled, and at ten points in time after that. */
  filledRssBytes: number;
  rssBytes: number[];
  minutes: number;
}

const api = apiIdOf('default/shop').lo;
const startAt = 1_790_000_000_000;
const operations = 24;
const requests = 200;

function start(tableBytes?: number): Analysis {
  const analysis = createAnalysis({
    workers: 0,
    tableBytes,
    valuesOf: () => ({ keyOf: () => ({ ok: false, reason: 'ValueForgotten', message: '' }), traitOf: () => undefined }),
  });
  analysis.input({ kind: 'policy', policy: create(CompiledPolicySchema, { api: 'default/shop', hosts: ['*'] }) });
  return analysis;
}

/** A request of a person: reads, orders of their own, a login now and then, and what is not there. */
function observe(analysis: Analysis, person: number, request: number, at: number): void {
  const { batch } = analysis.engine;
  const base = batch.append();
  const { u32, f64 } = batch;
  const hash = (field: number, a: number, b: number): void => {
    u32[base + field] = fold(a, b);
    u32[base + field + 1] = fold(b ^ 0x5bd1, a);
  };
  const login = request % 50 === 7;
  f64[(base + F.eventAt) >> 1] = at;
  f64[(base + F.startedAt) >> 1] = at - 20;
  f64[(base + F.objectDelta) >> 1] = Number.NaN;
  f64[(base + F.responseBytes) >> 1] = 2000;
  hash(F.user, person, 1);
  hash(F.token, person, 2);
  hash(F.address, person, 3);
  hash(F.network, person >> 4, 4);
  hash(F.userAgent, person % 40, 5);
  hash(F.operation, request % operations, 6);
  hash(F.path, request % operations, person % 5000);
  hash(F.target, request, person % 5000);
  if (request % 10 === 3) hash(F.object, person, request % 4);
  if (login) hash(F.account, person, 7);
  u32[base + F.api] = api;
  u32[base + F.status] = request % 40 === 5 ? 404 : 200;
  u32[base + F.flags] = Flag.userVerified | Flag.tokenVerified;
  u32[base + F.kinds] = login ? 3 | (FlowType.LOGIN << 8) | (Outcome.success << 16) : 1;
  analysis.accept(base);
}

async function tick(analysis: Analysis, at: number): Promise<void> {
  if (!analysis.idle(at)) await analysis.run(analysis.closeTick(at));
}

function settledMemory(): NodeJS.MemoryUsage & { young: number } {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  return { ...process.memoryUsage(), young: young?.physical_space_size ?? 0 };
}

/** Each of `people` makes all their requests. */
async function fill(analysis: Analysis, people: number): Promise<void> {
  // All of them within five hours, so that windows of every length are open.
  const stepMs = (5 * 3_600_000) / (people * requests);
  let at = startAt;
  for (let request = 0; request < requests; request++)
    for (let person = 0; person < people; person++) {
      observe(analysis, person, request, at);
      at += stepMs;
      if (analysis.engine.batch.length >= 8192) await tick(analysis, at);
    }
  await tick(analysis, at);
}

async function principals(count: number): Promise<PrincipalFigures> {
  // Compiled code and the young generation that a busy process has are no cost of a principal.
  const warm = start();
  await fill(warm, 500);
  await warm.close();
  const analysis = start();
  await tick(analysis, startAt);
  const empty = settledMemory();
  await fill(analysis, count >> 2);
  const full = settledMemory();
  const usage = await analysis.engine.usage();
  return {
    principals: usage.profiles,
    requestsPerPrincipal: requests,
    operations,
    bytesPerPrincipal: Math.round((full.rss - empty.rss) / usage.profiles),
    tableBytesPerPrincipal: Math.round(usage.bytes / usage.profiles),
    heapBytesPerPrincipal: Math.round((full.heapUsed - empty.heapUsed) / usage.profiles),
    youngGenerationBytes: full.young - empty.young,
    emptyRssBytes: empty.rss,
    rssBytes: full.rss,
  };
}

async function churn(minutes: number): Promise<ChurnFigures> {
  const analysis = start(64 << 20);
  const until = process.hrtime.bigint() + BigInt(minutes) * 60_000_000_000n;
  let at = startAt;
  let person = 0;
  /** Twice each, for a key's first appearance gets no place. */
  const come = async (people: number): Promise<void> => {
    for (const end = person + people; person < end; person++) {
      for (let request = 0; request < 2; request++) observe(analysis, person, request, (at += 5));
      if (analysis.engine.batch.length >= 4096) await tick(analysis, at);
    }
    await tick(analysis, at);
  };
  for (let before = -1; ; ) {
    await come(5_000);
    const { evicted, profiles } = await analysis.engine.usage();
    if (evicted > profiles && profiles === before) break;
    before = profiles;
  }
  const filledRssBytes = settledMemory().rss;
  const { profiles } = await analysis.engine.usage();
  const rssBytes: number[] = [];
  while (rssBytes.length < 10 || process.hrtime.bigint() < until) {
    await come(Math.ceil(profiles / 4));
    rssBytes.push(settledMemory().rss);
  }
  const points = Array.from({ length: 10 }, (_, i) => rssBytes[Math.floor(((i + 1) * rssBytes.length) / 10) - 1] ?? 0);
  const { evicted } = await analysis.engine.usage();
  return { keys: person * 4, profiles, evicted, filledRssBytes, rssBytes: points, minutes };
}

const [what, argument] = process.argv.slice(2);
process.send?.(what === 'churn' ? await churn(Number(argument)) : await principals(Number(argument)));
process.disconnect();
