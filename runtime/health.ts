/** What probes and scrapers ask of a process. Nothing here names a caller, so it is served without TLS. */
import { createServer } from 'node:http';
import type { ListenAddress } from './config.ts';
import { formatListenAddress } from './config.ts';
import { toPicketError } from './errors.ts';

export interface HealthOptions {
  listen: ListenAddress;
  /** Why a restart would help; undefined = healthy. */
  unhealthy(): string | undefined;
  /** What keeps the process from its work; undefined = ready. */
  unready(): string | undefined;
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
      case '/metrics':
        options.metrics.text().then(
          (text) => answer(200, text, options.metrics.contentType),
          () => answer(500, 'metrics failed\n'),
        );
        return;
      default:
        return answer(404, 'served here: /healthz, /readyz, /metrics\n');
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
