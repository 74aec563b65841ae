/** What a Picket learns from access logs before it goes live: once, and never from the future. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePicketPorts, type Picket, startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { repositoryRoot } from '../support/tools.ts';

interface Status {
  apis: { api: string; observations: number }[];
  tick: { number: number; at: number; lastSeq: number };
  history: { entries: number; skipped: number };
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function line(at: number, i: number): string {
  const d = new Date(at);
  const pad = (n: number): string => String(n).padStart(2, '0');
  const time = `${pad(d.getUTCDate())}/${months[d.getUTCMonth()]}/${d.getUTCFullYear()}:${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}:${pad(d.getUTCSeconds())} +0000`;
  return `203.0.113.${i % 50} - - [${time}] "GET /v1/products/${i % 40} HTTP/1.1" 200 512 "-" "browser"`;
}

describe('history', () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-history-'));
  const manifests = join(folder, 'manifests');
  const log = join(folder, 'yesterday.log');
  let picket: Picket | undefined;
  const start = async (): Promise<Status> => {
    picket = await startPicket({ manifests, folder, ports: await freePicketPorts(), args: ['--history', log] });
    return (await picket.read<Status>('/api/v1/status')) as Status;
  };

  beforeAll(() => {
    cpSync(join(repositoryRoot, 'examples/shop/manifests'), manifests, { recursive: true });
    const yesterday = Date.now() - 86_400_000;
    const lines = Array.from({ length: 300 }, (_, i) => line(yesterday + i * 1000, i));
    // As a clock that was set wrong for a moment leaves it.
    lines.splice(100, 0, line(Date.UTC(2099, 0, 1), 0));
    writeFileSync(log, `${lines.join('\n')}\n`);
  });
  afterAll(async () => {
    await picket?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('leaves out what claims to be of the future, and time goes on', async () => {
    const status = await start();
    expect(status.tick.lastSeq).toBe(300);
    expect(status.tick.at).toBeLessThanOrEqual(Date.now());
    const loss = await picket?.read<{ dropped: number }>('/api/v1/loss');
    expect(JSON.stringify(loss)).toContain('bad_time');
    const before = status.tick.number;
    // No Envoy has spoken yet; the population's ten seconds pass all the same.
    await waitFor('a tick without traffic', async () =>
      ((await picket?.read<Status>('/api/v1/status'))?.tick.number ?? 0) > before ? true : undefined,
    );
  });

  it('is not learned again by the next start', async () => {
    await picket?.stop();
    const status = await start();
    expect(status.tick.lastSeq).toBe(300);
    expect(picket?.process.output()).toContain('was not learned again');
    expect(status.apis.map((a) => a.observations)).toEqual([300]);
  });

  it('is not learned again after a crash without a checkpoint either', async () => {
    picket?.process.signal('SIGKILL');
    await picket?.process.ended;
    rmSync(join(folder, 'data/checkpoints'), { recursive: true });
    const status = await start();
    expect(status.tick.lastSeq).toBe(300);
    expect(status.apis.map((a) => a.observations)).toEqual([300]);
  });
});
