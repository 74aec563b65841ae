/**
 * Plays event streams as real HTTP requests at the time each event names. Every address is really bound, connections
 * are kept as long as an actor stays at an address.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createHttpClient, type HttpClient, type HttpReply } from '../../support/http-client.ts';
import type { EventStream, RequestEvent } from '../request-event.ts';
import { keepReply, requestHeaders } from './exchange.ts';

export interface LiveOptions {
  host?: string;
  port: number;
  /** `host` header of the requests. */
  authority?: string;
  onReply: (event: RequestEvent, reply: HttpReply, sentAt: number) => void;
  /** No new request starts after it is aborted; `run` resolves when the last reply is in. */
  signal: AbortSignal;
  /** Unix milliseconds. */
  now: () => number;
}

export interface LiveDriver {
  /**
   * Plays one stream to its end. Requests follow each other, as in a browser that waits for a page, and who was held up
   * goes on from there at the same pace: nobody makes up for lost time.
   */
  run(stream: EventStream): Promise<void>;
  /**
   * Plays one stream as a tool with many addresses does: each address waits for its answer, none for those of others, so
   * that a slow machine makes the attack no slower than its author meant it to be.
   */
  runByAddress(stream: EventStream): Promise<void>;
  close(): void;
}

/** Connections kept at once; beyond it the longest unused one is closed. */
const maxClients = 4096;
/** Addresses that wait for an answer at once: the threads of a tool. */
const maxLanes = 64;

export function createLiveDriver(options: LiveOptions): LiveDriver {
  const { port, host = '127.0.0.1', authority = 'shop.example', now, signal, onReply } = options;
  const clients = new Map<string, HttpClient>();
  const clientOf = (event: RequestEvent): HttpClient => {
    const key = `${event.actor.id} ${event.client.address}`;
    const known = clients.get(key);
    // Re-inserted, so that the map's order is the order of use.
    if (known !== undefined) clients.delete(key);
    const client = known ?? createHttpClient({ host, port, localAddress: event.client.address });
    clients.set(key, client);
    if (clients.size > maxClients) {
      const [oldest] = clients;
      if (oldest !== undefined) {
        clients.delete(oldest[0]);
        oldest[1].close();
      }
    }
    return client;
  };
  const send = async (event: RequestEvent): Promise<void> => {
    const sentAt = now();
    const call = { method: event.method, path: event.path, headers: { host: authority, ...requestHeaders(event) } };
    const reply = await clientOf(event).send(event.body === undefined ? call : { ...call, body: event.body });
    const setCookie = reply.headers['set-cookie'] ?? [];
    keepReply(event, parseJson(reply.body), setCookie);
    onReply(event, reply, sentAt);
  };
  /** Waits until an event of a stream is due, by how late the ones before it were. */
  const createPace = (): ((at: number) => Promise<void>) => {
    let lateMs = 0;
    return async (at) => {
      await sleep(Math.max(0, at + lateMs - now()), undefined, { signal }).catch(() => undefined);
      lateMs = Math.max(lateMs, now() - at);
    };
  };
  return {
    async run(stream) {
      const due = createPace();
      for (let next = stream.next(); !next.done && !signal.aborted; next = stream.next()) {
        const event = next.value;
        await due(event.at);
        if (signal.aborted) return;
        await send(event);
      }
    },
    async runByAddress(stream) {
      const lanes = new Map<string, Promise<void>>();
      const due = createPace();
      for (let next = stream.next(); !next.done && !signal.aborted; next = stream.next()) {
        const event = next.value;
        await due(event.at);
        while (lanes.size >= maxLanes && !signal.aborted) await Promise.race(lanes.values());
        if (signal.aborted) break;
        const { address } = event.client;
        const lane = (lanes.get(address) ?? Promise.resolve()).then(() => (signal.aborted ? undefined : send(event)));
        const ended = lane.finally(() => {
          if (lanes.get(address) === ended) lanes.delete(address);
        });
        lanes.set(address, ended);
      }
      await Promise.all(lanes.values());
    },
    close() {
      for (const client of clients.values()) client.close();
      clients.clear();
    },
  };
}

/**
 * Whether Envoy itself refused the request: a refusal without the header its router puts on every reply of an
 * upstream.
 */
export function refusedByEnvoy(reply: HttpReply): boolean {
  const isRefusal = reply.status === 403 || reply.status === 429;
  return isRefusal && reply.headers['x-envoy-upstream-service-time'] === undefined;
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
