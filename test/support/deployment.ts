/** Operator and analyzer as they run in a cluster, but as child processes of a test against a real API server and NATS. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { type RunningProcess, startProcess, waitFor } from './processes.ts';
import { nodeBinary, repositoryRoot } from './tools.ts';

export interface Component {
  readonly process: RunningProcess;
  /** Of /healthz, /readyz and /metrics. */
  readonly healthUrl: string;
  /** Where Envoys connect. */
  readonly port: number;
  ready(): Promise<void>;
  /** Value of a metric without labels; undefined when it is not there. */
  metric(name: string): Promise<number | undefined>;
  stop(): Promise<number>;
}

export interface ComponentOptions {
  folder: string;
  kubeconfig: string;
  natsUrl: string;
  fleet: string;
  /** Ports of an earlier run, for what has to come back where it was. */
  ports?: { health: number; listen: number };
  args?: readonly string[];
}

/** @param options.identity unique among replicas */
export function startOperatorProcess(options: ComponentOptions & { identity: string }): Promise<Component> {
  return start('operator', options.identity, options, (port) => [
    ...['--xds-listen', `127.0.0.1:${port}`, '--identity', options.identity],
  ]);
}

export function startAnalyzerProcess(options: ComponentOptions): Promise<Component> {
  return start('analyzer', 'analyzer', options, (port) => [
    ...['--als-listen', `127.0.0.1:${port}`, '--data', join(options.folder, 'analyzer-data')],
  ]);
}

async function start(
  program: 'operator' | 'analyzer',
  name: string,
  options: ComponentOptions,
  flags: (port: number) => string[],
): Promise<Component> {
  const [freeHealth = 0, freeListen = 0] = await freePorts(2);
  const { health, listen } = options.ports ?? { health: freeHealth, listen: freeListen };
  mkdirSync(options.folder, { recursive: true });
  const process = startProcess({
    command: nodeBinary,
    args: [
      join(repositoryRoot, program, 'main.ts'),
      ...['--kubeconfig', options.kubeconfig, '--nats-url', options.natsUrl, '--fleet', options.fleet],
      ...['--health-listen', `127.0.0.1:${health}`, '--log-level', 'debug'],
      ...flags(listen),
      ...(options.args ?? []),
    ],
    logPath: join(options.folder, `${name}.log`),
  });
  const healthUrl = `http://127.0.0.1:${health}`;
  const read = async (path: string): Promise<string | undefined> => {
    try {
      const response = await fetch(`${healthUrl}${path}`, { signal: AbortSignal.timeout(5_000) });
      return response.ok ? await response.text() : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    process,
    healthUrl,
    port: listen,
    async ready() {
      await waitFor(`${name} ready`, () => read('/readyz'), { timeoutMs: 120_000, everyMs: 100, process });
    },
    async metric(metric) {
      const line = (await read('/metrics'))?.split('\n').find((text) => text.startsWith(`${metric} `));
      return line === undefined ? undefined : Number(line.split(' ')[1]);
    },
    stop: () => process.stop({ graceMs: 20_000, keepLog: true }),
  };
}
