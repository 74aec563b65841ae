/**
 * HTTP clients with addresses of their own: on Linux every address of 127.0.0.0/8 can be a source, so a test on
 * loopback has as many real client addresses as it wants.
 */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface HttpReply {
  /** 0 when there was no answer; then `error` says why. */
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  error?: string;
  /** Milliseconds from sending to the last byte. */
  tookMs: number;
}

export interface HttpClient {
  send(call: HttpCall): Promise<HttpReply>;
  /** Closes the kept connections. */
  close(): void;
}

export interface HttpCall {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** JSON value; `content-type` is set unless the headers have one. */
  body?: unknown;
}

export interface HttpClientOptions {
  host?: string;
  port: number;
  /** Source address in 127.0.0.0/8; the system's choice when absent. */
  localAddress?: string;
  /** Connections this client may keep, as a browser does; 2 unless told. */
  maxSockets?: number;
  /** No answer after this many milliseconds counts as none; 60,000 unless told, for a busy machine is no refusal. */
  timeoutMs?: number;
}

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { host = '127.0.0.1', port, localAddress, maxSockets = 2, timeoutMs = 60_000 } = options;
  const agent = new Agent({ keepAlive: true, maxSockets, maxFreeSockets: maxSockets });
  return {
    send(call) {
      const startedAt = performance.now();
      const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
      const headers: Record<string, string> = { ...call.headers };
      if (payload !== undefined) {
        headers['content-type'] ??= 'application/json';
        headers['content-length'] = String(payload.length);
      }
      return new Promise((resolve) => {
        const fail = (error: Error) =>
          resolve({ status: 0, headers: {}, body: '', error: error.message, tookMs: performance.now() - startedAt });
        const { method, path } = call;
        const source = localAddress === undefined ? {} : { localAddress };
        const outgoing = request(
          { host, port, method, path, headers, agent, ...source, timeout: timeoutMs },
          (reply) => {
            const chunks: Buffer[] = [];
            reply.on('data', (chunk: Buffer) => chunks.push(chunk));
            reply.on('error', fail);
            reply.on('end', () =>
              resolve({
                status: reply.statusCode ?? 0,
                headers: reply.headers,
                body: Buffer.concat(chunks).toString('utf8'),
                tookMs: performance.now() - startedAt,
              }),
            );
          },
        );
        outgoing.on('error', fail);
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
        outgoing.end(payload);
      });
    },
    close: () => agent.destroy(),
  };
}
