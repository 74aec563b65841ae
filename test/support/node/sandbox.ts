/**
 * Namespaces in which a node runs: network, mounts and processes. Whatever is mounted, configured or started in them ends
 * with their first process, and that one ends with ours.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from '../commands.ts';
import { type RunningProcess, startProcess, waitFor } from '../processes.ts';
import { requireTool } from '../tools.ts';

export interface Sandbox {
  /** Of the first process in it. */
  readonly pid: number;
  /** Runs a shell script in it to its end. @throws Error with what it said */
  run(script: string): Promise<void>;
  /** Starts a program in it, with a log in the folder. */
  start(name: string, command: string, args: readonly string[]): RunningProcess;
  stop(): Promise<void>;
}

/** What a kubelet sets for the whole machine, which is none of its business here. */
const tunables = [
  ...['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops'],
  ...['kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'],
];

export async function startSandbox(folder: string): Promise<Sandbox> {
  const holder = startProcess({
    command: 'setpriv',
    // A test run that is killed takes the node with it.
    args: [
      ...['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', '--propagation', 'private'],
      ...['--pid', '--fork', '--kill-child', '--mount-proc', requireTool('pause')],
    ],
    logPath: join(folder, 'sandbox.log'),
  });
  const pid = await waitFor('namespaces of the node', () => childOf(holder.pid), { process: holder });
  const enter = ['--target', String(pid), '--net', '--mount', '--pid', '--'];
  const sandbox: Sandbox = {
    pid,
    async run(script) {
      const { code, out, err } = await runToEnd('nsenter', [...enter, 'sh', '-euc', script]);
      if (code !== 0) throw new Error(`in the node's namespaces: ${err || out}`);
    },
    start: (name, command, args) =>
      startProcess({ command: 'nsenter', args: [...enter, command, ...args], logPath: join(folder, `${name}.log`) }),
    async stop() {
      if (holder.exitCode() === undefined) process.kill(pid, 'SIGKILL');
      await holder.stop({ keepLog: true });
    },
  };
  try {
    await sandbox.run(mountScript(folder));
    return sandbox;
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
}

/** Folders in which containerd, runc, CNI and kubelet would meet those of the machine are empty here. */
function mountScript(folder: string): string {
  const shadow = join(folder, 'tunables');
  mkdirSync(shadow);
  const lines = ['mount --make-rshared /'];
  for (const path of ['/run', '/var/lib', '/var/log']) lines.push(`mount -t tmpfs -o mode=755 tmpfs ${path}`);
  for (const name of tunables) {
    const copy = join(shadow, name.replaceAll('/', '-'));
    writeFileSync(copy, readFileSync(`/proc/sys/${name}`));
    lines.push(`mount --bind ${copy} /proc/sys/${name}`);
  }
  return lines.join('\n');
}

/** `unshare --fork` has one child, in the new namespaces as soon as it runs the program. */
function childOf(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    if (!child) return undefined;
    return readFileSync(`/proc/${child}/comm`, 'utf8').trim().startsWith('pause') ? Number(child) : undefined;
  } catch {
    return undefined;
  }
}
