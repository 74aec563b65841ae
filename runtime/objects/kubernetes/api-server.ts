/**
 * One Kubernetes API server over HTTP: JSON requests that retry what may succeed later, and watches line by line. The
 * kubeconfig and its credentials are client-node's work; its typed clients are not used, for they know no own kinds.
 */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { PicketError, toPicketError } from '../../errors.ts';
import { errorOfStatus, retryAfterMs, type Status } from './status-error.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ApiRequest {
  query?: Query;
  body?: unknown;
  /** `application/json` unless told. */
  contentType?: string;
  signal?: AbortSignal;
  /** Asked before each attempt, for it may no longer be so at the next one; left out, always. */
  permitted?(): boolean;
}

/** One line of a watch. `object` of an `ERROR` is a `Status`. */
export interface WatchLine {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: unknown;
}

export interface ApiServer {
  /**
   * JSON of the answer. Refusals under load (429) and failures of the server or the way to it are tried again.
   *
   * @throws PicketError; `reason` is the API server's where it gave one
   */
  request<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: ApiRequest): Promise<T>;
  /** Lines as they come; ends when the server ends the watch. `onOpen`: it has begun. Not tried again: only the caller knows from where. */
  watch(path: string, query: Query, signal: AbortSignal, onOpen?: () => void): AsyncGenerator<WatchLine>;
  close(): void;
}

export interface ApiServerOptions {
  config: KubeConfig;
  /** Names this program in the server's logs: "picket-operator/0.1.0". */
  userAgent: string;
  /** 0 ≤ x < 1; spreads retries. */
  random(): number;
}

const attempts = 6;
const firstRetryMs = 200;
const maxRetryMs = 5_000;
const answerWithinMs = 30_000;
/** The server sends a bookmark a minute; a connection that is silent for longer is dead, whatever TCP thinks. */
const silenceMs = 150_000;
const maxAnswerBytes = 256 * 1024 * 1024;

export function connectApiServer(options: ApiServerOptions): ApiServer {
  const { config, userAgent, random } = options;
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    throw new PicketError('InvalidConfig', 'the kubeconfig has no current context: name one with --context');
  }
  const base = new URL(cluster.server);
  const secure = base.protocol === 'https:';
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });

  /** Sends a request; resolves with the head of the answer. */
  async function send(method: string, path: string, request: ApiRequest): Promise<IncomingMessage> {
    const url = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base);
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const wanted: RequestOptions = {
      method,
      headers: {
        accept: 'application/json',
        'user-agent': userAgent,
        ...(body
          ? { 'content-type': request.contentType ?? 'application/json', 'content-length': String(body.length) }
          : {}),
      },
    };
    // Reads tokens and certificates again where they are files that rotate.
    await config.applyToHTTPSOptions(wanted);
    if (!cluster?.proxyUrl) wanted.agent = agent;
    return new Promise((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)(url, {
        ...wanted,
        ...(request.signal ? { signal: request.signal } : {}),
      });
      outgoing.setTimeout(answerWithinMs, () =>
        outgoing.destroy(new PicketError('Timeout', `the API server gave no answer within ${answerWithinMs} ms`)),
      );
      outgoing.once('response', resolve);
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  async function once<T>(method: string, path: string, request: ApiRequest): Promise<T> {
    const answer = await send(method, path, request);
    const text = await textOf(answer);
    if ((answer.statusCode ?? 500) < 300) return parseJson(text) as T;
    throw errorOfAnswer(answer, text, `${method} ${path}`);
  }

  return {
    async request<T>(method: string, path: string, request: ApiRequest = {}): Promise<T> {
      for (let attempt = 1; ; attempt++) {
        if (request.permitted?.() === false)
          throw new PicketError('Cancelled', `${method} ${path}: it is another one's to write now`);
        try {
          return await once<T>(method, path, request);
        } catch (thrown) {
          request.signal?.throwIfAborted();
          const error = toPicketError(thrown, `${method} ${path}`);
          if (!error.retriable || attempt === attempts) throw error;
          const backoffMs = Math.min(maxRetryMs, firstRetryMs * 2 ** (attempt - 1)) * (0.5 + random() / 2);
          await delay(
            Math.max(backoffMs, retryAfterMs(error)),
            undefined,
            request.signal ? { signal: request.signal } : {},
          );
        }
      }
    },
    async *watch(path, query, signal, onOpen) {
      const answer = await send('GET', path, { query: { ...query, watch: true, allowWatchBookmarks: true }, signal });
      if (answer.statusCode !== 200) throw errorOfAnswer(answer, await textOf(answer), `watch ${path}`);
      onOpen?.();
      answer.setTimeout(silenceMs, () => answer.destroy(new PicketError('Timeout', `watch ${path} fell silent`)));
      // readline swallows a broken stream; what broke it is kept for the caller.
      let broken: Error | undefined;
      answer.on('error', (error) => {
        broken = error;
      });
      try {
        for await (const line of createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY }))
          if (line !== '') yield parseJson(line) as WatchLine;
      } finally {
        answer.destroy();
      }
      if (broken) throw toPicketError(broken, `watch ${path}`);
    },
    close: () => agent.destroy(),
  };
}

function errorOfAnswer(answer: IncomingMessage, text: string, doing: string): PicketError {
  const code = answer.statusCode ?? 500;
  let status: Status = { code };
  try {
    status = { code, ...(JSON.parse(text) as Status) };
  } catch {
    // A proxy in between answers in its own words.
    status = { code, message: text.slice(0, 200).trim() };
  }
  const seconds = Number(answer.headers['retry-after']);
  return errorOfStatus(status, doing, Number.isFinite(seconds) ? seconds * 1000 : undefined);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes)
      throw new PicketError('Capacity', `the answer is over ${maxAnswerBytes} bytes`, { retriable: false });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PicketError('Unavailable', 'the API server sent half an answer', { cause: error });
  }
}
