import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from './processes.ts';

test('a test worker that is told to end takes its processes with it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-processes-'));
  const program = `
    import { startProcess } from ${JSON.stringify(new URL('./processes.ts', import.meta.url).href)};
    const logPath = ${JSON.stringify(join(folder, 'log'))};
    console.log(startProcess({ command: 'sleep', args: ['3600'], logPath }).pid);
  `;
  const worker = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [told] = await once(worker.stdout, 'data');
  const pid = Number(told);
  expect(isThere(pid)).toBe(true);
  worker.kill('SIGTERM');
  await once(worker, 'exit');
  await waitFor('the end of its process', () => !isThere(pid) || undefined);
  rmSync(folder, { recursive: true });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
