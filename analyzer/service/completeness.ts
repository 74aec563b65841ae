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
import { type EnvoyCounters, fetchEnvoyCounters, fetchEnvoyNode } from '../ingest/envoy-counters.ts';

export interface CompletenessWatch {
  seen: Completeness['seen'];
  /** What an Envoy says by itself. */
  counted(node: string, counters: EnvoyCounters): void;
  report(): CompletenessReport[];
  /** Seen by expected requests of the connection managers that serve an API; undefined = unknown. */
  ofApi(api: string): number | undefined;
  close(): Promise<void>;
}

const pollMs = 5_000;

/**
 * @param envoys `http://host:port` of admin interfaces that are asked
 * @param file where counts outlive this process, so that what was lost while it was away shows
 */
export async function watchCompleteness(options: {
  envoys: readonly string[];
  file: string;
  clock: Clock;
  log: Logger;
}): Promise<CompletenessWatch> {
  const { envoys, file, clock, log } = options;
  const state = await readState(file, log);
  const completeness = createCompleteness(state ? { state } : {});
  const stopping = new AbortController();
  /** Node ids by admin interface. */
  const nodes = new Map<string, string>();
  let latest: CompletenessReport[] = [];
  let isCounted = state !== undefined;

  const counted = (node: string, { completed, uptimeS }: EnvoyCounters): void => {
    isCounted = true;
    const atMs = clock.now();
    for (const [prefix, count] of completed) completeness.sample({ node, prefix }, { completed: count, uptimeS, atMs });
  };
  const ask = async (admin: string): Promise<void> => {
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(pollMs)]);
    const node = nodes.get(admin) ?? (await fetchEnvoyNode(admin, fetch, signal));
    nodes.set(admin, node);
    counted(node, await fetchEnvoyCounters(admin, fetch, signal));
  };
  const poll = async (): Promise<void> => {
    // No answer, no number: the report says Unknown.
    await Promise.allSettled(envoys.map(ask));
    latest = completeness.report(clock.now());
    await save();
  };
  const save = async (): Promise<void> => {
    if (!isCounted) return;
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
    counted,
    report: () => latest,
    ofApi: (api) => completeness.ofApi(api, clock.now()),
    async close() {
      clearInterval(timer);
      stopping.abort();
      await polling;
      await save();
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
