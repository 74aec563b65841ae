import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { StoryResult } from '../demo/story.ts';
import { type RunningProcess, startProcess, waitFor } from '../support/processes.ts';
import { findTool, nodeBinary, repositoryRoot } from '../support/tools.ts';

const { missing } = findTool('envoy');
const storyMs = 480_000;

/** As Ctrl-C in a terminal does it: everything in the group of the demo hears it. */
function interrupt(demo: RunningProcess): void {
  process.kill(-demo.pid, 'SIGINT');
}

test.skipIf(missing !== undefined)('stopped before its end, the demo says so and leaves nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-demo-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const demo = startProcess({
    command: nodeBinary,
    args: [join(repositoryRoot, 'test/demo/main.ts'), '--seed', '20'],
    logPath: join(folder, 'demo.log'),
    ownGroup: true,
    env: { TMPDIR: folder },
  });
  onTestFinished(() => void demo.stop({ graceMs: 60_000 }));
  await waitFor('Picket learning', () => (demo.output().includes('learns') ? true : undefined), { process: demo });
  interrupt(demo);
  expect(await demo.ended).toBe(1);
  expect(demo.output()).toContain('the demo broke off: interrupted');
  expect(readdirSync(folder)).toEqual(['demo.log']);
});

test.skipIf(missing !== undefined)(
  `the demo tells its whole story, keeps all of it running when asked to, and leaves nothing behind${missing ? ` (${missing})` : ''}`,
  async ({ signal }) => {
    const folder = mkdtempSync(join(tmpdir(), 'picket-demo-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const json = join(folder, 'result.json');
    const demo = startProcess({
      command: nodeBinary,
      args: [join(repositoryRoot, 'test/demo/main.ts'), '--seed', '20', '--keep', '--json', json],
      logPath: join(folder, 'demo.log'),
      ownGroup: true,
    });
    onTestFinished(() => void demo.stop({ graceMs: 60_000 }));

    const where = await waitFor(
      'the story told',
      () => /shop behind Envoy +(\S+)\n +Picket +(\S+)\n +logs and data +(\S+)\n/.exec(demo.output()) ?? undefined,
      { process: demo, timeoutMs: storyMs, signal },
    );
    const urls = [String(where[1]), String(where[2])];
    for (const url of urls) expect((await fetch(url)).status, url).toBe(200);
    interrupt(demo);
    expect(await demo.ended, demo.output()).toBe(0);
    for (const url of urls) await expect(fetch(url), url).rejects.toThrow();
    expect(existsSync(String(where[3]))).toBe(false);

    const result = JSON.parse(readFileSync(json, 'utf8')) as StoryResult;
    expect(result.problems).toEqual([]);
    expect(result.acts.map((act) => act.family)).toEqual([
      'credentialStuffing',
      'objectEnumeration',
      'scraping',
      'tokenAbuse',
    ]);
    expect(result.ordinary.users).toBeGreaterThanOrEqual(500);
  },
  storyMs + 60_000,
);
