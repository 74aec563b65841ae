/** The admin port: what a person, a probe, a scraper and `picket risk` ask a running Picket. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AnalyzerView } from '@picket/analyzer/service/metrics.ts';
import type { InFlightRequest } from '@picket/analyzer/ingest/in-flight.ts';
import { objectSchemas, validateObject } from '@picket/crds/validate.ts';
import type { EnvoyAck } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { Clock } from '@picket/runtime/clock.ts';
import { type ErrorCode, PicketError, toPicketError } from '@picket/runtime/errors.ts';
import { parseListenAddress } from '@picket/runtime/grpc/listen-address.ts';
import type { TlsFiles } from '@picket/runtime/grpc/server-credentials.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { FolderStore } from '@picket/runtime/objects/folder-store.ts';
import type { StoredObject } from '@picket/runtime/objects/object-store.ts';
import { renderHome } from './admin-page.ts';
import { endpointOf } from './endpoint.ts';
import type { ProcessMetrics } from './metrics.ts';

export interface AdminView extends AnalyzerView {
  envoys: EnvoyAck[];
  listening: { als: number | undefined; xds: number | undefined };
}

export interface AdminOptions {
  listen: string;
  tls?: TlsFiles;
  objects: FolderStore;
  ledger: Ledger;
  metrics: ProcessMetrics;
  clock: Clock;
  startedAt: number;
  view(): AdminView;
}

export interface AdminServer {
  port: number;
  /** From now on `/readyz` answers 200. */
  ready(): void;
  close(): Promise<void>;
}

const storeIllMs = 300_000;
const maxBodyBytes = 16 * 1024;
/** What is not named here is the caller's mistake: 400. */
const statusCodes: Partial<Record<ErrorCode, number>> = {
  NotFound: 404,
  PermissionDenied: 403,
  Conflict: 409,
  Internal: 500,
};
const REVIEW_MANAGER = 'picket-cli';

export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  let ready = false;
  const listener: RequestListener = (request, response) => {
    route(request, options, ready)
      .then((answer) => send(response, answer))
      .catch((error: unknown) => {
        const known = toPicketError(error, 'admin');
        send(response, json({ error: known.message, reason: known.reason }, statusCodes[known.code] ?? 400));
      });
  };
  const server = options.tls
    ? createTlsServer(
        {
          cert: readFileSync(options.tls.certificateFile),
          key: readFileSync(options.tls.privateKeyFile),
          ca: readFileSync(options.tls.clientCaFile),
          requestCert: true,
          rejectUnauthorized: true,
        },
        listener,
      )
    : createServer(listener);
  server.headersTimeout = 10_000;
  const { host, port } = endpointOf(options.listen);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(toPicketError(error, `--admin-listen ${options.listen}`)));
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : 0,
    ready() {
      ready = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  status: number;
  type: string;
  body: string;
}

function json(value: unknown, status = 200): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value, null, 2)}\n` };
}

function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  });
  response.end(answer.body);
}

async function route(request: IncomingMessage, options: AdminOptions, ready: boolean): Promise<Answer> {
  refuseForeignHost(request, options);
  const { url, parts } = targetOf(request);
  const view = options.view();
  if (request.method === 'POST') {
    const [api, v1, objects, kind, namespace, name, verb] = parts;
    if (
      api === 'api' &&
      v1 === 'v1' &&
      objects === 'objects' &&
      kind === 'RiskVerdict' &&
      namespace &&
      name &&
      verb === 'review'
    )
      return review(request, options, namespace, name);
    throw new PicketError('NotFound', `nothing takes a POST at ${url.pathname}`);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return json({ error: 'only GET and POST are served' }, 405);
  switch (parts[0]) {
    case undefined:
      return renderHome(options, view, ready, request.headers.accept ?? '');
    case 'healthz':
      return health(view, options.clock.now());
    case 'readyz':
      return ready
        ? { status: 200, type: 'text/plain', body: 'ready\n' }
        : { status: 503, type: 'text/plain', body: 'starting\n' };
    case 'metrics':
      return { status: 200, type: options.metrics.contentType, body: await options.metrics.render(options, view) };
    case 'api':
      break;
    default:
      throw new PicketError('NotFound', `nothing is served at ${url.pathname}; see /`);
  }
  if (parts[1] !== 'v1') throw new PicketError('NotFound', 'the API is under /api/v1');
  switch (parts[2]) {
    case 'status':
      return json(await statusOf(options, view, ready));
    case 'problems':
      return json(options.objects.problems());
    case 'events':
      return json(options.objects.events());
    case 'loss':
      return json(options.ledger.snapshot());
    case 'objects':
      return objectsOf(options, parts.slice(3));
    default:
      throw new PicketError(
        'NotFound',
        'the API has status, problems, events, loss and objects/<Kind>[/<namespace>/<name>]',
      );
  }
}

/** @throws PicketError Usage when the path cannot be read */
function targetOf(request: IncomingMessage): { url: URL; parts: string[] } {
  try {
    // Joined, not resolved: "//name" is a path here and no host.
    const url = new URL(`http://admin${request.url ?? '/'}`);
    return { url, parts: url.pathname.split('/').filter(Boolean).map(decodeURIComponent) };
  } catch {
    throw new PicketError('Usage', 'the path is not a valid URL path');
  }
}

/** Unhealthy is what a restart can mend. A store that fails is told, and left to mend itself. */
export function health(view: Pick<AdminView, 'analyzer' | 'store'>, now: number): Answer {
  const stuck = view.analyzer?.stuck();
  if (stuck) return { status: 503, type: 'text/plain', body: `${stuck}\n` };
  const failingSinceMs = view.store?.failingSinceMs ?? 0;
  const ill = failingSinceMs > 0 && now - failingSinceMs > storeIllMs;
  const note = ill ? `store has taken nothing since ${new Date(failingSinceMs).toISOString()}` : 'ok';
  return { status: 200, type: 'text/plain', body: `${note}\n` };
}

/** A page in a browser must not reach this port under another name (DNS rebinding). */
function refuseForeignHost(request: IncomingMessage, options: AdminOptions): void {
  if (!parseListenAddress(options.listen, '--admin-listen').loopback) return;
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)) return;
  throw new PicketError('PermissionDenied', 'this port answers to its loopback address only');
}

async function objectsOf(options: AdminOptions, [kind, namespace, name]: string[]): Promise<Answer> {
  // Secrets and config maps of the folder are none of this port's business.
  if (!kind || !objectSchemas.kinds.includes(kind))
    throw new PicketError('NotFound', `name a kind: ${objectSchemas.kinds.join(', ')}`);
  if (!name) {
    const items = await options.objects.list<StoredObject>(kind, namespace);
    return json({ apiVersion: 'picket.dev/v1alpha1', kind: `${kind}List`, items });
  }
  const object = await options.objects.get({ kind, namespace: namespace ?? 'default', name });
  if (!object) throw new PicketError('NotFound', `${kind} ${namespace}/${name} does not exist`);
  return json(object);
}

export async function statusOf(
  options: AdminOptions,
  view: AdminView,
  ready: boolean,
): Promise<Record<string, unknown>> {
  const usage = await view.analyzer?.usage();
  return {
    ready,
    startedAt: new Date(options.startedAt).toISOString(),
    listening: view.listening,
    history: view.history,
    tick: view.analyzer?.tick(),
    restored: view.analyzer?.restored,
    apis: (view.analyzer?.apis() ?? []).map((a) => ({
      api: a.api,
      observations: a.observations,
      operations: a.operations.length,
      traffic: a.traffic,
      activity: a.activity,
      learnedSince: a.since > 0 ? new Date(a.since).toISOString() : undefined,
    })),
    streams: view.streams,
    inFlight: { requests: view.inFlight?.size() ?? 0, longest: (view.inFlight?.longest(20) ?? []).map(inFlightJson) },
    sources: view.analyzer?.sources() ?? [],
    envoys: view.envoys.map(({ fleet, envoy, connected, decisionIds, ackedAtMs, error }) => ({
      fleet,
      envoy,
      connected,
      decisions: decisionIds.length,
      ackedAt: Number(ackedAtMs) > 0 ? new Date(Number(ackedAtMs)).toISOString() : undefined,
      error,
    })),
    completeness: view.completeness,
    ledger: options.ledger.snapshot(),
    store: view.store,
    state: usage,
    problems: options.objects.problems().length,
  };
}

function inFlightJson({ startedAtMs, heardAtMs, requestBytes, responseBytes, ...rest }: InFlightRequest): object {
  const bytes = (value: number): number | null => (Number.isNaN(value) ? null : value);
  return {
    ...rest,
    startedAt: isoOf(startedAtMs),
    heardAt: isoOf(heardAtMs),
    requestBytes: bytes(requestBytes),
    responseBytes: bytes(responseBytes),
  };
}

/** Clocks of Envoys may say anything, also what no date can hold. */
function isoOf(ms: number): string | null {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null;
}

async function review(
  request: IncomingMessage,
  options: AdminOptions,
  namespace: string,
  name: string,
): Promise<Answer> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    throw new PicketError(
      'Usage',
      'send the review as application/json: { "disposition": "FalsePositive", "by": "…", "note": "…" }',
    );
  const key = { kind: 'RiskVerdict', namespace, name };
  const object = await options.objects.get<StoredObject<Record<string, unknown>>>(key);
  if (!object) throw new PicketError('NotFound', `RiskVerdict ${namespace}/${name} does not exist`);
  const spec = { ...object.spec, review: parseJson(await bodyOf(request)) };
  const { errors } = validateObject('RiskVerdict', { ...object, spec });
  if (errors.length > 0)
    throw new PicketError('InvalidObject', errors.map((e) => `${e.path}: ${e.message}`).join('; '));
  await options.objects.apply(
    { apiVersion: object.apiVersion, kind: object.kind, metadata: { name, namespace }, spec: { review: spec.review } },
    REVIEW_MANAGER,
  );
  return json(await options.objects.get(key));
}

/** @throws PicketError Usage */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PicketError('Usage', `the body is not JSON: ${(error as Error).message}`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > maxBodyBytes) throw new PicketError('Usage', `the body is over ${maxBodyBytes} bytes`);
  }
  return body;
}
