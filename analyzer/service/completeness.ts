/** Completeness of what Envoys report, against their own counters; see `analyzer/ingest/completeness.ts`. */
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '@picket/runtime/atomic-file.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import {
  type Completeness,
  type CompletenessReport,
  type CompletenessState,
  createCompleteness,
} from '../ingest/completeness.ts';
import { fetchEnvoyCounters, fetchEnvoyNode } from '../ingest/envoy-counters.ts';

export interface CompletenessWatch {
  seen: Completeness['seen'];
  report(): CompletenessReport[];
  /** Seen by expected requests of the connection managers that serve an API; undefined = unknown. */
  ofApi(api: string): number | undefined;
  close(): Promise<void>;
}

export interface WatchedEnvoy {
  /** `http://host:port` of its admin interface. */
  admin: string;
  /** Its node id; asked of it when absent. */
  node?: string;
}

const pollMs = 5_000;

/** @param file where counts outlive this process, so that what was lost while it was away shows */
export async function watchCompleteness(options: {
  envoys: readonly WatchedEnvoy[];
  file: string;
  clock: Clock;
  log: Logger;
}): Promise<CompletenessWatch> {
  const { envoys, file, clock, log } = options;
  const state = await readState(file, log);
  const completeness = createCompleteness(state ? { state } : {});
  const stopping = new AbortController();
  const nodes = new Map(envoys.flatMap(({ admin, node }) => (node === undefined ? [] : [[admin, node] as const])));
  let latest: CompletenessReport[] = [];

  const ask = async ({ admin }: WatchedEnvoy): Promise<void> => {
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(pollMs)]);
    const node = nodes.get(admin) ?? (await fetchEnvoyNode(admin, fetch, signal));
    nodes.set(admin, node);
    const counters = await fetchEnvoyCounters(admin, fetch, signal);
    const atMs = clock.now();
    for (const [prefix, completed] of counters.completed)
      completeness.sample({ node, prefix }, { completed, uptimeS: counters.uptimeS, atMs });
  };
  const poll = async (): Promise<void> => {
    // No answer, no number: the report says Unknown.
    await Promise.allSettled(envoys.map(ask));
    latest = completeness.report(clock.now());
    if (envoys.length > 0) await save();
  };
  const save = async (): Promise<void> => {
    try {
      await writeFileAtomic(file, JSON.stringify(completeness.state()));
    } catch (error) {
      log.warn('counts for completeness not kept', { error });
    }
  };
  let polling = poll();
  const timer = setInterval(() => {
    polling = polling.then(poll);
  }, pollMs);
  return {
    seen: (manager, at, api) => completeness.seen(manager, at, api),
    report: () => latest,
    ofApi: (api) => completeness.ofApi(api, clock.now()),
    async close() {
      clearInterval(timer);
      stopping.abort();
      await polling;
      if (envoys.length > 0) await save();
    },
  };
}

async function readState(file: string, log: Logger): Promise<CompletenessState | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as CompletenessState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn('counts for completeness cannot be read and begin anew', { error });
    return undefined;
  }
}
