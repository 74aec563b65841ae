import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { StoryResult } from '../demo/story.ts';
import { startProcess, waitFor } from '../support/processes.ts';
import { findTool, nodeBinary, repositoryRoot } from '../support/tools.ts';

const { missing } = findTool('envoy');
const storyMs = 480_000;

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
    });
    onTestFinished(() => void demo.stop({ graceMs: 60_000 }));

    const where = await waitFor(
      'the story told',
      () => /shop behind Envoy +(\S+)\n +Picket +(\S+)\n +logs and data +(\S+)\n/.exec(demo.output()) ?? undefined,
      { process: demo, timeoutMs: storyMs, signal },
    );
    const urls = [String(where[1]), String(where[2])];
    for (const url of urls) expect((await fetch(url)).status, url).toBe(200);
    demo.signal('SIGINT');
    expect(await demo.ended, demo.output()).toBe(0);
    for (const url of urls) await expect(fetch(url), url).rejects.toThrow();

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
