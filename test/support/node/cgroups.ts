/** A control group of the node in every hierarchy of the machine, so that it can be removed with all that is in it. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface NodeCgroups {
  /** As kubelet names it. */
  readonly root: string;
  /** After the last process in it has ended. */
  remove(): Promise<void>;
}

export function createCgroups(name: string): NodeCgroups {
  const folders = hierarchies().map((hierarchy) => join(hierarchy, name));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  return {
    root: `/${name}`,
    async remove() {
      for (const folder of folders) await removeTree(folder);
    },
  };
}

function hierarchies(): string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, path = '', type = '']) => type.startsWith('cgroup') && path.startsWith('/sys/fs/cgroup'))
    .map(([, path = '']) => path);
}

/** The kernel's files in a group cannot be deleted; the group can, when no process is left in it. */
async function removeTree(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  }
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      // What was killed takes a moment to be gone.
      if (attempt === 50) throw error;
      await sleep(100);
    }
  }
}
