/** What is counted of each API beside its risks: observations, and the traffic of the last five minutes. */
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { F, methods, type ObservationBatch, STRIDE } from './observation.ts';
import type { OperationRegistry } from './operations/registry.ts';
import { apiIdOf } from './operations/template.ts';
import { createTraffic, type Traffic, type TrafficFigures } from './publish/traffic.ts';

/** What a stored row says in words. */
export interface RowWords {
  api: string;
  method: string;
  template: string;
}

export interface ApiFigures {
  enter(policy: CompiledPolicy): void;
  forget(api: string): void;
  observe(batch: ObservationBatch, base: number): void;
  /** The result is reused by the next call. */
  describe(batch: { u32: Uint32Array }, index: number): RowWords;
  /** "<namespace>/<name>" of the API whose id has this low word, "" when there is none. */
  nameOf(api: number): string;
  observations(api: string): number;
  traffic(api: string, now: number): TrafficFigures | undefined;
  /** Observations by the low word of the API's id, for checkpoints. */
  counts(): [number, number][];
  restore(counts: readonly (readonly [number, number])[]): void;
}

export function createApiFigures(registry: OperationRegistry): ApiFigures {
  const names = new Map<number, string>();
  const traffic = new Map<number, Traffic>();
  const counts = new Map<number, number>();
  const words: RowWords = { api: '', method: '', template: '' };
  return {
    enter({ api }) {
      const hash = apiIdOf(api).lo;
      names.set(hash, api);
      if (!traffic.has(hash)) traffic.set(hash, createTraffic());
    },
    forget(api) {
      const hash = apiIdOf(api).lo;
      for (const known of [counts, traffic, names]) known.delete(hash);
    },
    observe({ u32, f64 }, base) {
      const api = u32[base + F.api] as number;
      counts.set(api, (counts.get(api) ?? 0) + 1);
      traffic
        .get(api)
        ?.add(
          f64[(base + F.eventAt) >> 1] as number,
          u32[base + F.status] as number,
          f64[(base + F.durationMs) >> 1] as number,
        );
    },
    describe({ u32 }, index) {
      const base = index * STRIDE;
      const found = registry.byId(u32[base + F.operation] as number, u32[base + F.operation + 1] as number);
      words.api = names.get(u32[base + F.api] as number) ?? '';
      words.method = methods[(u32[base + F.kinds] as number) & 0xff] ?? 'OTHER';
      words.template = found?.operation.template ?? '';
      return words;
    },
    nameOf: (api) => names.get(api) ?? '',
    observations: (api) => counts.get(apiIdOf(api).lo) ?? 0,
    traffic: (api, now) => traffic.get(apiIdOf(api).lo)?.read(now),
    counts: () => [...counts],
    restore(saved) {
      for (const [api, count] of saved) counts.set(api, count);
    },
  };
}
