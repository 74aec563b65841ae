/** What probes and scrapers ask of a process. Nothing here names a caller, so it is served without TLS. */
import { createServer } from 'node:http';
import type { ListenAddress } from './config.ts';
import { formatListenAddress } from './config.ts';
import { toPicketError } from './errors.ts';

/** A neighbour or a part, and how it is. */
export interface HealthCheck {
  name: string;
  result: 'ok' | 'warning' | 'failure';
  /** For a person; names no caller. */
  message: string;
}

export interface HealthOptions {
  listen: ListenAddress;
  /** Why a restart would help; undefined = healthy. */
  unhealthy(): string | undefined;
  /** What keeps the process from its work; undefined = ready. */
  unready(): string | undefined;
  /** For `/status`, which a doctor reads. */
  checks(): HealthCheck[];
  metrics: { contentType: string; text(): Promise<string> };
}

export interface HealthServer {
  port: number;
  close(): Promise<void>;
}

/** @throws PicketError AddressInUse and others, naming the flag */
export async function startHealth(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, {
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      response.end(request.method === 'HEAD' ? '' : body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET is served\n');
    switch (request.url?.split('?')[0]) {
      case '/healthz': {
        const problem = options.unhealthy();
        return answer(problem === undefined ? 200 : 503, `${problem ?? 'ok'}\n`);
      }
      case '/readyz': {
        const problem = options.unready();
        return answer(problem === undefined ? 200 : 503, `${problem ?? 'ready'}\n`);
      }
      case '/status': {
        const waiting = options.unready();
        const told = { ready: waiting === undefined, ...(waiting ? { waiting } : {}), checks: options.checks() };
        return answer(200, `${JSON.stringify(told)}\n`, 'application/json');
      }
      case '/metrics':
        options.metrics.text().then(
          (text) => answer(200, text, options.metrics.contentType),
          () => answer(500, 'metrics failed\n'),
        );
        return;
      default:
        return answer(404, 'served here: /healthz, /readyz, /status, /metrics\n');
    }
  });
  server.headersTimeout = 10_000;
  const { host, port } = options.listen;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(toPicketError(error, `--health-listen ${formatListenAddress(options.listen)}`)),
    );
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
