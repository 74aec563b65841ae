/**
 * Picket by its charts, NATS, the sample shop and two Envoys on a whole node, all of them pods from images of this checkout:
 * the end-to-end story, chapter by chapter, while people shop.
 */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ShopCluster, shopClusterMissing, startShopCluster } from '../cluster/cluster.ts';
import { chapters, createScene, playChapter, type Scene } from '../cluster/story.ts';
import { createScreen } from '../demo/screen.ts';

const missing = shopClusterMissing();

describe.skipIf(missing)(`Picket in pods of a whole node${missing ? ` (${missing})` : ''}`, () => {
  const screen = createScreen(process.stdout, () => performance.now());
  const stopping = new AbortController();
  let starting: Promise<ShopCluster> | undefined;
  let scene: Scene | undefined;

  beforeAll(async () => {
    starting = startShopCluster((line) => screen.line(line, 'quiet'), stopping.signal);
    scene = createScene(await starting, screen);
  }, 900_000);

  // A start that took too long for the hook above still goes on: it ends here, too.
  afterAll(async () => {
    stopping.abort();
    await scene?.people.stop();
    const cluster = await starting?.catch(() => undefined);
    if (!cluster) return;
    const { folder, network, stop } = cluster.node;
    await stop();
    expect(existsSync(folder)).toBe(false);
    expect(networkInterfaces()[network.name]).toBeUndefined();
  }, 900_000);

  let whole = true;
  test.each(chapters)(
    '$title',
    async (chapter) => {
      // Chapters build on each other.
      expect(whole && scene, 'the chapter before').toBeTruthy();
      whole = false;
      await playChapter(scene as Scene, chapter);
      whole = true;
    },
    900_000,
  );
});
