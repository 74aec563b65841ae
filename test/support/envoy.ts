/** A real Envoy under test: started on free ports, asked through its admin interface, stopped by its handle. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type RunningProcess, startProcess, waitFor } from './processes.ts';
import { requireTool } from './tools.ts';

export interface EnvoyOptions {
  /**
   * Bootstrap, as an object or as YAML/JSON text. An `admin` section is added when it has none; ports may be 0, the
   * admin interface tells which ones were taken.
   */
  bootstrap: object | string;
  /** Worker threads; 1 unless told. */
  concurrency?: number;
  /** For example `warning`, or component levels as `info,ext_proc:debug`. */
  logLevel?: string;
  nodeId?: string;
  cluster?: string;
  readyTimeoutMs?: number;
}

export interface Envoy {
  readonly process: RunningProcess;
  /** `http://127.0.0.1:PORT` of the admin interface. */
  readonly adminUrl: string;
  /** Port of a listener by its name. */
  listenerPort(name: string): Promise<number>;
  configDump(): Promise<unknown>;
  /** Value of one counter or gauge; undefined when Envoy does not have it. */
  stat(name: string): Promise<number | undefined>;
  /** All counters and gauges whose names match. */
  stats(filter: RegExp): Promise<Map<string, number>>;
  /** Everything Envoy logged. */
  log(): string;
  /** Stops it; `keepLogs` (a failed test) leaves its folder and returns where it is. */
  stop(options?: { keepLogs?: boolean }): Promise<string | undefined>;
}

export async function startEnvoy(options: EnvoyOptions): Promise<Envoy> {
  const binary = requireTool('envoy');
  const folder = mkdtempSync(join(tmpdir(), 'picket-envoy-'));
  const configPath = join(folder, 'envoy.yaml');
  const adminPath = join(folder, 'admin-address');
  const logPath = join(folder, 'envoy.log');
  writeFileSync(configPath, withAdmin(options.bootstrap));
  const process = startProcess({
    command: binary,
    args: [
      ...['-c', configPath, '--admin-address-path', adminPath],
      ...['--concurrency', String(options.concurrency ?? 1)],
      ...['--log-level', (options.logLevel ?? 'warning').split(',')[0] ?? 'warning'],
      ...componentLevels(options.logLevel),
      // Several Envoys run on one machine: no shared memory, no hot restart.
      '--disable-hot-restart',
      ...(options.nodeId === undefined ? [] : ['--service-node', options.nodeId]),
      ...(options.cluster === undefined ? [] : ['--service-cluster', options.cluster]),
      ...['--drain-time-s', '1', '--parent-shutdown-time-s', '2'],
    ],
    logPath,
  });
  try {
    const timeoutMs = options.readyTimeoutMs ?? 30_000;
    const adminUrl = `http://${await waitFor('Envoy admin address', () => readNonEmpty(adminPath), { timeoutMs, process })}`;
    await waitFor(
      'Envoy ready',
      async () => ((await fetchText(`${adminUrl}/ready`))?.startsWith('LIVE') ? true : undefined),
      { timeoutMs, process },
    );
    return envoyHandle(process, adminUrl, folder);
  } catch (error) {
    await process.stop({ keepLog: true });
    throw error;
  }
}

function envoyHandle(process: RunningProcess, adminUrl: string, folder: string): Envoy {
  const readStats = async (filter: string) => {
    const text = (await fetchText(`${adminUrl}/stats?format=json&filter=${encodeURIComponent(filter)}`)) ?? '{}';
    const { stats = [] } = JSON.parse(text) as { stats?: { name?: string; value?: number }[] };
    const values = new Map<string, number>();
    for (const { name, value } of stats) if (name !== undefined && value !== undefined) values.set(name, value);
    return values;
  };
  return {
    process,
    adminUrl,
    async listenerPort(name) {
      const text = (await fetchText(`${adminUrl}/listeners?format=json`)) ?? '{}';
      const { listener_statuses: statuses = [] } = JSON.parse(text) as ListenersReply;
      const port = statuses.find((s) => s.name === name)?.local_address?.socket_address?.port_value;
      if (port === undefined) throw new Error(`Envoy has no listener ${name}`);
      return port;
    },
    async configDump() {
      const response = await fetch(`${adminUrl}/config_dump?include_eds`);
      if (!response.ok) throw new Error(`Envoy shows no configuration: ${await response.text()}`);
      return response.json();
    },
    async stat(name) {
      return (await readStats(`^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)).get(name);
    },
    stats: (filter) => readStats(filter.source),
    log: () => process.output(),
    async stop({ keepLogs = false } = {}) {
      await process.stop({ keepLog: true });
      if (keepLogs) return folder;
      rmSync(folder, { recursive: true, force: true });
      return undefined;
    },
  };
}

interface ListenersReply {
  listener_statuses?: { name?: string; local_address?: { socket_address?: { port_value?: number } } }[];
}

function withAdmin(bootstrap: object | string): string {
  const admin = { admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } } };
  if (typeof bootstrap !== 'string') return stringify({ ...admin, ...bootstrap });
  return /^\s*"?admin"?\s*:/m.test(bootstrap) ? bootstrap : `${stringify(admin)}${bootstrap}`;
}

function componentLevels(logLevel = ''): string[] {
  const levels = logLevel.split(',').slice(1).join(',');
  return levels === '' ? [] : ['--component-log-level', levels];
}

function readNonEmpty(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

async function fetchText(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url);
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}
