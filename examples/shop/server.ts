import { createServer, type IncomingMessage } from 'node:http';
import type { Shop } from './shop.ts';

export interface ShopServer {
  port: number;
  close(): Promise<void>;
}

const maxBodyBytes = 64 * 1024;

/** Serves the shop, on loopback unless told; port 0 takes a free one. */
export async function serveShop(shop: Shop, port: number, host = '127.0.0.1'): Promise<ShopServer> {
  const server = createServer((incoming, outgoing) => {
    void readBody(incoming).then((text) => {
      const body = text === undefined ? undefined : parseJson(text);
      const reply =
        text === undefined
          ? { status: 413, body: { error: 'too large' } }
          : shop.handle({
              method: incoming.method ?? 'GET',
              path: incoming.url ?? '/',
              authorization: incoming.headers.authorization ?? '',
              cookie: incoming.headers.cookie ?? '',
              body,
            });
      const payload = reply.body === undefined ? '' : JSON.stringify(reply.body);
      const requestId = incoming.headers['x-request-id'];
      outgoing.writeHead(reply.status, {
        'content-type': 'application/json',
        // What the caller can quote, and what stands in Envoy's access log.
        ...(typeof requestId === 'string' ? { 'x-request-id': requestId } : {}),
        ...reply.headers,
      });
      outgoing.end(payload);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the shop has no port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The whole body; undefined when it is larger than the shop accepts. A connection that breaks has an empty one. */
async function readBody(incoming: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes <= maxBodyBytes) chunks.push(chunk);
    }
  } catch {
    return '';
  }
  return bytes > maxBodyBytes ? undefined : Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
