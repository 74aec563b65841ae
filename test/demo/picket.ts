/** All the demo knows of Picket: how it is started, and what its admin interface says. */
import { join } from 'node:path';
import type { ProtectedAPI, RiskVerdict } from '@picket/crds/gen/types.ts';
import { freePorts } from '../support/ports.ts';
import { type RunningProcess, startProcess, waitFor } from '../support/processes.ts';
import { nodeBinary, repositoryRoot, requireTool } from '../support/tools.ts';

export interface PicketOptions {
  folder: string;
  manifests: string;
  /** Access log capture to learn from before traffic arrives. */
  history: string;
  upstreamPort: number;
  /** Key set that Envoy's `jwt_authn` verifies tokens with. */
  jwks: string;
  issuer: string;
  signal: AbortSignal;
  /** Told while the day before is read, again and again. */
  onLearning?: (requests: number) => void;
}

export interface Picket {
  readonly process: RunningProcess;
  /** Port of the Envoy that Picket runs. */
  readonly trafficPort: number;
  readonly adminUrl: string;
  status(): Promise<PicketStatus>;
  verdicts(): Promise<RiskVerdict[]>;
  api(name: string): Promise<ProtectedAPI | undefined>;
  stop(): Promise<number>;
}

/** The part of `GET /api/v1/status` that is read. */
export interface PicketStatus {
  ready: boolean;
  history?: { entries: number; done: boolean };
}

/** Reading a day on a busy small machine. */
const historyTimeoutMs = 600_000;

export async function startPicket(options: PicketOptions): Promise<Picket> {
  const { folder, manifests, history, upstreamPort, jwks, issuer } = options;
  const [trafficPort = 0, adminPort = 0] = await freePorts(2);
  const process = startProcess({
    command: nodeBinary,
    args: [
      join(repositoryRoot, 'standalone/main.ts'),
      'up',
      ...['--manifests', manifests, '--data', join(folder, 'data'), '--history', history],
      ...[
        '--envoy',
        'run',
        '--envoy-binary',
        requireTool('envoy'),
        '--upstream',
        `127.0.0.1:${upstreamPort}`,
        '--listen',
        `127.0.0.1:${trafficPort}`,
      ],
      ...['--jwt-issuer', issuer, '--jwt-jwks', jwks],
      ...['--als-listen', '127.0.0.1:0', '--xds-listen', '127.0.0.1:0', '--admin-listen', `127.0.0.1:${adminPort}`],
    ],
    logPath: join(folder, 'picket.log'),
    cwd: folder,
    ownGroup: true,
  });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const read = async <T>(path: string): Promise<T | undefined> => {
    try {
      const response = await fetch(`${adminUrl}${path}`);
      return response.ok ? ((await response.json()) as T) : undefined;
    } catch {
      return undefined;
    }
  };
  const list = async <T>(kind: string): Promise<T[]> => {
    const reply = await read<T[] | { items: T[] }>(`/api/v1/objects/${kind}`);
    return Array.isArray(reply) ? reply : (reply?.items ?? []);
  };
  const picket: Picket = {
    process,
    trafficPort,
    adminUrl,
    status: async () => (await read<PicketStatus>('/api/v1/status')) ?? { ready: false },
    verdicts: () => list<RiskVerdict>('RiskVerdict'),
    api: async (name) => (await list<ProtectedAPI>('ProtectedAPI')).find((o) => o.metadata.name === name),
    stop: () => process.stop({ graceMs: 20_000, keepLog: true }),
  };
  try {
    await waitFor(
      'Picket ready',
      async () => {
        const { ready, history: read } = await picket.status();
        if (read !== undefined && !read.done) options.onLearning?.(read.entries);
        return ready && read?.done !== false ? true : undefined;
      },
      { timeoutMs: historyTimeoutMs, everyMs: 200, process, signal: options.signal },
    );
  } catch (error) {
    await picket.stop();
    throw error;
  }
  return picket;
}
