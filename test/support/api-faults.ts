/** A proxy in front of a real API server that breaks things on demand: refusals under load, errors, expired watches, cut lines. */
import { createServer, type IncomingMessage, request as plainRequest, type ServerResponse } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { loadKubeConfig } from '@picket/runtime/objects/kubernetes/kube-config.ts';

export interface ApiFaults {
  /** A kubeconfig whose server is the proxy. */
  readonly kubeconfig: string;
  /** Requests that came, "GET /apis/…?watch=true". */
  readonly requests: string[];
  /** The next `times` requests that match get this answer and never reach the server. */
  refuse(match: RegExp, status: number, times: number, headers?: Record<string, string>): void;
  /** Open watches that the server answers. */
  watching(): number;
  /** Every open watch is told that its place is too old, as after etcd's compaction. */
  expireWatches(): void;
  /** Every open connection is cut in the middle of what it says. */
  cut(): void;
  /** From now on nobody answers: connections end, and what was under way may have happened or not. */
  away(): void;
  back(): void;
  close(): Promise<void>;
}

export async function startApiFaults(kubeconfig: string, path: string): Promise<ApiFaults> {
  const cluster = loadKubeConfig({ kubeconfig }).getCurrentCluster();
  if (!cluster) throw new Error('the kubeconfig has no cluster');
  const ca = Buffer.from(cluster.caData ?? '', 'base64');
  const requests: string[] = [];
  const watches = new Set<{ answer: ServerResponse; upstream: IncomingMessage }>();
  let isAway = false;
  let refusals: { match: RegExp; status: number; left: number; headers: Record<string, string> }[] = [];

  const server = createServer((incoming, answer) => {
    const line = `${incoming.method} ${incoming.url}`;
    if (isAway) {
      incoming.destroy();
      return;
    }
    requests.push(line);
    const refusal = refusals.find(({ match, left }) => left > 0 && match.test(line));
    if (refusal) {
      refusal.left--;
      refusals = refusals.filter(({ left }) => left > 0);
      incoming.resume();
      answer.writeHead(refusal.status, { 'content-type': 'application/json', ...refusal.headers });
      answer.end(
        JSON.stringify({
          kind: 'Status',
          code: refusal.status,
          message: 'injected',
          reason: `Injected${refusal.status}`,
        }),
      );
      return;
    }
    const url = new URL(incoming.url ?? '/', cluster.server);
    const options = { method: incoming.method ?? 'GET', headers: { ...incoming.headers, host: url.host }, ca };
    const outgoing = (url.protocol === 'http:' ? plainRequest : request)(url, options, (upstream) => {
      answer.writeHead(upstream.statusCode ?? 502, upstream.headers);
      answer.flushHeaders();
      upstream.pipe(answer);
      upstream.on('error', () => answer.destroy());
      if (!url.searchParams.has('watch')) return;
      const watch = { answer, upstream };
      watches.add(watch);
      answer.on('close', () => {
        watches.delete(watch);
        upstream.destroy();
      });
    });
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const config = JSON.parse(loadKubeConfig({ kubeconfig }).exportConfig()) as { clusters: { cluster: object }[] };
  for (const entry of config.clusters)
    entry.cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return {
    kubeconfig: path,
    requests,
    refuse: (match, status, times, headers = {}) => void refusals.push({ match, status, left: times, headers }),
    watching: () => watches.size,
    expireWatches() {
      for (const { answer, upstream } of watches) {
        upstream.unpipe(answer);
        const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
        answer.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
      }
    },
    cut: () => server.closeAllConnections(),
    away() {
      isAway = true;
      server.closeAllConnections();
    },
    back() {
      isAway = false;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
