/** A really running `picket`: `picket up` as a child process, its admin interface, and its other commands. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BehaviorPolicy, ProtectedAPI, RiskVerdict } from '@picket/crds/gen/types.ts';
import { type CommandResult, runToEnd } from './commands.ts';
import { freePorts } from './ports.ts';
import { type RunningProcess, startProcess, waitFor } from './processes.ts';
import { nodeBinary, repositoryRoot, requireTool } from './tools.ts';

export interface PicketOptions {
  /** Folder of manifests. */
  manifests: string;
  /** Data, the log and Envoy's files live here; a folder of its own under the system's temporary one unless told. */
  folder?: string;
  /** Upstream of the Envoy that Picket runs; without it Picket runs none. */
  upstreamPort?: number;
  /** Ports of an earlier run that Envoys know. */
  ports?: PicketPorts;
  /** More flags. */
  args?: readonly string[];
  env?: Record<string, string>;
  /** Give up after this time without readiness; 60 s unless told. */
  readyTimeoutMs?: number;
  signal?: AbortSignal;
}

export interface PicketPorts {
  admin: number;
  als: number;
  xds: number;
  /** Of the Envoy that Picket runs. */
  traffic: number;
}

export interface Picket {
  readonly process: RunningProcess;
  readonly folder: string;
  readonly ports: PicketPorts;
  readonly adminUrl: string;
  status(): Promise<PicketStatus>;
  /** Objects as the admin interface shows them; none while it does not answer. */
  list<T>(kind: string): Promise<T[]>;
  verdicts(): Promise<RiskVerdict[]>;
  api(name: string): Promise<ProtectedAPI | undefined>;
  policy(name: string): Promise<BehaviorPolicy | undefined>;
  read<T>(path: string): Promise<T | undefined>;
  /** SIGTERM; the folder stays. Resolves to the exit code. */
  stop(): Promise<number>;
}

/** The part of `GET /api/v1/status` that tests read. */
export interface PicketStatus {
  ready: boolean;
  history?: { entries: number; done: boolean };
  restored?: { observations: number; ticks: number; fromCheckpoint: boolean };
  envoys?: { envoy: string; connected: boolean; decisions: number; error?: string }[];
  ledger?: { received: number; stored: number };
  problems?: number;
  completeness?: { status: string; ratio?: number; reason?: string }[];
}

export async function freePicketPorts(): Promise<PicketPorts> {
  const [admin = 0, als = 0, xds = 0, traffic = 0] = await freePorts(4);
  return { admin, als, xds, traffic };
}

/** Starts `picket up` without waiting for anything. */
export function launchPicket(options: PicketOptions & { folder: string; ports: PicketPorts }): Picket {
  const { folder, ports, manifests, upstreamPort } = options;
  const flags = {
    '--manifests': manifests,
    '--data': join(folder, 'data'),
    '--als-listen': `127.0.0.1:${ports.als}`,
    '--xds-listen': `127.0.0.1:${ports.xds}`,
    '--admin-listen': `127.0.0.1:${ports.admin}`,
    ...(upstreamPort === undefined
      ? {}
      : {
          '--envoy': 'run',
          '--envoy-binary': requireTool('envoy'),
          '--upstream': `127.0.0.1:${upstreamPort}`,
          '--listen': `127.0.0.1:${ports.traffic}`,
        }),
  };
  const process = startProcess({
    command: nodeBinary,
    args: [join(repositoryRoot, 'standalone/main.ts'), 'up', ...Object.entries(flags).flat(), ...(options.args ?? [])],
    logPath: join(folder, 'picket.log'),
    cwd: folder,
    // As runtime/bin/launch does.
    env: { MALLOC_MMAP_THRESHOLD_: '131072', ...options.env },
  });
  const adminUrl = `http://127.0.0.1:${ports.admin}`;
  const read = async <T>(path: string): Promise<T | undefined> => {
    try {
      const response = await fetch(`${adminUrl}${path}`);
      return response.ok ? ((await response.json()) as T) : undefined;
    } catch {
      return undefined;
    }
  };
  const list = async <T>(kind: string): Promise<T[]> =>
    (await read<{ items: T[] }>(`/api/v1/objects/${kind}`))?.items ?? [];
  return {
    process,
    folder,
    ports,
    adminUrl,
    read,
    list,
    status: async () => (await read<PicketStatus>('/api/v1/status')) ?? { ready: false },
    verdicts: () => list<RiskVerdict>('RiskVerdict'),
    api: async (name) => (await list<ProtectedAPI>('ProtectedAPI')).find((o) => o.metadata.name === name),
    policy: async (name) => (await list<BehaviorPolicy>('BehaviorPolicy')).find((o) => o.metadata.name === name),
    stop: () => process.stop({ graceMs: 20_000, keepLog: true }),
  };
}

/** Starts `picket up`; resolves when it is ready and has learned its history. */
export async function startPicket(options: PicketOptions): Promise<Picket> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'picket-up-'));
  const ports = options.ports ?? (await freePicketPorts());
  const picket = launchPicket({ ...options, folder, ports });
  try {
    await waitFor(
      'Picket ready',
      async () => {
        const { ready, history } = await picket.status();
        return ready && history?.done !== false ? true : undefined;
      },
      {
        timeoutMs: options.readyTimeoutMs ?? 120_000,
        everyMs: 100,
        process: picket.process,
        ...(options.signal ? { signal: options.signal } : {}),
      },
    );
  } catch (error) {
    await picket.stop();
    throw error;
  }
  return picket;
}

/** Runs a `picket` command to its end. */
export async function runPicket(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  return runToEnd(nodeBinary, [join(repositoryRoot, 'standalone/main.ts'), ...args], options);
}

/** Removes what a stopped Picket left behind. */
export function removePicket(picket: Picket | undefined): void {
  if (picket) rmSync(picket.folder, { recursive: true, force: true });
}
