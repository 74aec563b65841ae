/** A real NATS server with JetStream on a free port and a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess, waitFor } from './processes.ts';
import { requireTool } from './tools.ts';

export interface NatsServer {
  readonly process: RunningProcess;
  /** `nats://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Stops it; its folder stays when `keepData`, so that `startNats({ folder, port })` can bring it back. */
  stop(options?: { keepData?: boolean }): Promise<void>;
  readonly folder: string;
}

/** @param options.jetstream on unless told */
export async function startNats(
  options: { folder?: string; port?: number; jetstream?: boolean } = {},
): Promise<NatsServer> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'picket-nats-'));
  const port = options.port ?? (await freePort());
  const process = startProcess({
    command: requireTool('nats-server'),
    args: [
      ...(options.jetstream === false ? [] : ['-js', '-sd', join(folder, 'store')]),
      ...['-a', '127.0.0.1', '-p', String(port)],
    ],
    logPath: join(folder, 'nats.log'),
  });
  await waitFor('NATS ready', () => (process.output().includes('Server is ready') ? true : undefined), { process });
  return {
    process,
    url: `nats://127.0.0.1:${port}`,
    port,
    folder,
    async stop({ keepData = false } = {}) {
      await process.stop({ keepLog: true });
      if (!keepData) rmSync(folder, { recursive: true, force: true });
    },
  };
}
