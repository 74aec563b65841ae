import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDataFolder } from './data-lock.ts';

let folder: string;
let holder: ChildProcess;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'picket-lock-'));
  const program = `
    import { lockDataFolder } from ${JSON.stringify(new URL('./data-lock.ts', import.meta.url).href)};
    const unlock = await lockDataFolder(${JSON.stringify(folder)});
    process.on('SIGTERM', unlock);
    setInterval(() => {}, 1000);
    console.log('held');
  `;
  holder = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout as NodeJS.ReadableStream, 'data');
});

afterEach(async () => {
  if (holder.exitCode === null && holder.signalCode === null) {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  }
  rmSync(folder, { recursive: true });
});

test('a folder that is held is refused, with who holds it', async () => {
  await expect(lockDataFolder(folder)).rejects.toMatchObject({
    code: 'Conflict',
    message: `--data: ${folder} is in use by the Picket with process id ${holder.pid} on ${hostname()}; stop it or name another folder`,
  });
  expect(statSync(join(folder, 'lock.db')).mode & 0o777).toBe(0o600);
});

test('the lock of a process that was killed is free at once', async () => {
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const unlock = await lockDataFolder(folder);
  await expect(lockDataFolder(folder)).rejects.toMatchObject({ reason: 'DataFolderLocked' });
  unlock();
  (await lockDataFolder(folder))();
});

test('who waits has it when the holder gives it back, though that lives on', async () => {
  const told: string[] = [];
  const waiting = lockDataFolder(folder, {
    onHeld(by) {
      told.push(by);
      holder.kill('SIGTERM');
    },
    signal: new AbortController().signal,
  });
  (await waiting)();
  expect(told).toEqual([`the Picket with process id ${holder.pid} on ${hostname()}`]);
  expect(holder.exitCode).toBeNull();
});

test('who is told to stop waits no longer', async () => {
  const stopping = new AbortController();
  const waiting = lockDataFolder(folder, { onHeld: () => stopping.abort(), signal: stopping.signal });
  await expect(waiting).rejects.toMatchObject({ code: 'Conflict' });
});
