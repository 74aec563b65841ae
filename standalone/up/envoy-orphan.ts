/**
 * The Envoy that a killed Picket left behind. It goes on serving, which is what callers need, until the next run has an
 * Envoy of its own on the same port; then it is asked to end.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Orphan {
  /** URL of its admin interface. */
  admin: string;
  /** Ends it once its connections are done, a few seconds at most. */
  retire(): Promise<void>;
}

const askMs = 2_000;
const drainMs = 5_000;

/** The Envoy that runs with this configuration file, by its own word; its admin port is in that file. */
export async function findOrphan(configFile: string): Promise<Orphan | undefined> {
  const admin = await adminOf(configFile);
  if (admin === undefined) return undefined;
  const ask = (path: string, method = 'POST'): Promise<Response> =>
    fetch(`${admin}${path}`, { method, signal: AbortSignal.timeout(askMs) });
  try {
    const info = (await (await ask('/server_info', 'GET')).json()) as ServerInfo;
    if (info.command_line_options?.config_path !== configFile) return undefined;
  } catch {
    // Nobody answers, or somebody who is no Envoy.
    return undefined;
  }
  return {
    admin,
    async retire() {
      // Answers say "connection: close" from now on, and new connections go to the successor.
      await ask('/healthcheck/fail');
      await ask('/drain_listeners');
      const until = performance.now() + drainMs;
      while (performance.now() < until && (await connectionsOf(ask)) > 0) await sleep(200);
      await ask('/quitquitquit');
    },
  };
}

interface ServerInfo {
  command_line_options?: { config_path?: string };
}

async function connectionsOf(ask: (path: string, method: string) => Promise<Response>): Promise<number> {
  const reply = await ask('/stats?filter=^listener\\..*downstream_cx_active$&format=json', 'GET');
  const { stats = [] } = (await reply.json()) as { stats?: { name?: string; value?: number }[] };
  return stats.filter((s) => !s.name?.startsWith('listener.admin')).reduce((sum, s) => sum + (s.value ?? 0), 0);
}

async function adminOf(configFile: string): Promise<string | undefined> {
  try {
    const config = JSON.parse(await readFile(configFile, 'utf8')) as {
      admin?: { address?: { socketAddress?: { address?: string; portValue?: number } } };
    };
    const { address, portValue } = config.admin?.address?.socketAddress ?? {};
    return address && portValue ? `http://${address}:${portValue}` : undefined;
  } catch {
    // The first run, or a torn file.
    return undefined;
  }
}
