import { expect, test } from 'vitest';
import { createScreen } from '../demo/screen.ts';
import { tellStory } from '../demo/story.ts';
import { findTool } from '../support/tools.ts';

const { missing } = findTool('envoy');

test.skipIf(missing !== undefined)(
  `the demo tells its whole story: four attacks refused, no ordinary user${missing ? ` (${missing})` : ''}`,
  async ({ signal }) => {
    const screen = createScreen(process.stdout, () => performance.now());
    const result = await tellStory({
      seed: '20',
      screen,
      signal,
      now: () => performance.timeOrigin + performance.now(),
    });
    expect(result.problems).toEqual([]);
    expect(result.acts.map((act) => act.family)).toEqual([
      'credentialStuffing',
      'objectEnumeration',
      'scraping',
      'tokenAbuse',
    ]);
    expect(result.ordinary.users).toBeGreaterThanOrEqual(500);
  },
  480_000,
);
