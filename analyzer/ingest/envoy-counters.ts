import { PicketError } from '@picket/runtime/errors.ts';

/** Completed requests per connection manager of one Envoy process. */
export interface EnvoyCounters {
  /** Seconds. */
  uptimeS: number;
  /** By `stat_prefix`; the admin listener's own is left out. */
  completed: Map<string, number>;
}

/** What is needed of `fetch`. */
export type FetchText = (
  url: string,
  init: { signal: AbortSignal },
) => Promise<{ ok: boolean; status: number; text(): Promise<string> }>;

const FILTER = '^(server\\.uptime|http\\..+\\.downstream_rq_completed)$';
/** An Envoy with thousands of listeners answers a few MiB; more is not one. */
const MAX_REPLY_CHARACTERS = 16 << 20;

/**
 * Reads the counters from Envoy's admin interface.
 *
 * @param adminUrl for example `http://127.0.0.1:9901`
 * @throws PicketError Unavailable: no answer, or not that of an Envoy
 */
export async function fetchEnvoyCounters(
  adminUrl: string,
  fetchText: FetchText,
  signal: AbortSignal,
): Promise<EnvoyCounters> {
  const url = `${adminUrl}/stats?format=json&filter=${encodeURIComponent(FILTER)}`;
  try {
    const reply = await fetchText(url, { signal });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    const text = await reply.text();
    if (text.length > MAX_REPLY_CHARACTERS) throw new Error(`the reply has ${text.length} characters`);
    return parseEnvoyCounters(text);
  } catch (error) {
    throw new PicketError('Unavailable', `no counters from ${adminUrl}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Node id of an Envoy, under which it sends access logs.
 *
 * @throws PicketError Unavailable: no answer, or not that of an Envoy
 */
export async function fetchEnvoyNode(adminUrl: string, fetchText: FetchText, signal: AbortSignal): Promise<string> {
  try {
    const reply = await fetchText(`${adminUrl}/server_info`, { signal });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    const { node } = JSON.parse(await reply.text()) as { node?: { id?: unknown } };
    if (typeof node?.id !== 'string' || node.id === '') throw new Error('the reply names no node');
    return node.id;
  } catch (error) {
    throw new PicketError('Unavailable', `no node id from ${adminUrl}: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws Error when the text is not Envoy's JSON or lacks `server.uptime` */
export function parseEnvoyCounters(text: string): EnvoyCounters {
  const { stats } = JSON.parse(text) as { stats?: unknown };
  if (!Array.isArray(stats)) throw new Error('the reply has no stats');
  const found = createFoundCounters();
  for (const { name, value } of stats as { name?: unknown; value?: unknown }[]) {
    if (typeof name === 'string' && typeof value === 'number') found.take(name, value);
  }
  const counters = found.counters();
  if (!counters) throw new Error('the reply has no server.uptime');
  return counters;
}

/** Picks from all statistics of an Envoy, in any order, those that are counted against. */
export function createFoundCounters(): {
  take(name: string, value: number): void;
  /** Undefined without `server.uptime`: counters of which process, nobody knows. */
  counters(): EnvoyCounters | undefined;
} {
  let uptimeS: number | undefined;
  const completed = new Map<string, number>();
  return {
    take(name, value) {
      if (!Number.isFinite(value)) return;
      const prefix = /^http\.(.+)\.downstream_rq_completed$/.exec(name)?.[1];
      if (name === 'server.uptime') uptimeS = value;
      else if (prefix !== undefined && prefix !== 'admin') completed.set(prefix, value);
    },
    counters: () => (uptimeS === undefined ? undefined : { uptimeS, completed }),
  };
}
