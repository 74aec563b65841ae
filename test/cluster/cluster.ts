/** A node with Picket, the sample shop and its Envoys on it: what the test of the whole story and the demo play on. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import { seedShop } from '../../examples/shop/seed-data.ts';
import { type Crowd, ordinaryDay, type Watched } from '../e2e/stage.ts';
import { type ClusterNode, nodeMissing, startNode } from '../support/node/node.ts';
import { findTool } from '../support/tools.ts';
import { clusterImages } from './images.ts';
import { installPicket, kubectlOn, openShop } from './install.ts';

export interface ShopCluster {
  readonly node: ClusterNode;
  /** People who shop, and did so on the day before that Picket learned from. */
  readonly crowd: Crowd;
  /** Where callers reach the shop, and what Picket says. */
  readonly watched: Watched;
  /** The same, for a person. */
  readonly url: string;
  /** The i-th address that nobody of the crowd has. */
  strangerAddress(i: number): string;
}

/** What is missing for one, or undefined. */
export function shopClusterMissing(): string | undefined {
  return nodeMissing() ?? findTool('helm').missing ?? findTool('envoy').missing ?? findTool('nats-server').missing;
}

/** @param signal ends it before it is up; what was started is stopped */
export async function startShopCluster(
  say: (line: string) => void = () => undefined,
  signal?: AbortSignal,
): Promise<ShopCluster> {
  const node = await startNode({ onProgress: say, ...(signal ? { signal } : {}) });
  try {
    say('building the images; the first time takes minutes');
    const images = await clusterImages(signal);
    say('loading them');
    await node.load(Object.values(images));
    signal?.throwIfAborted();
    const { products } = seedShop(1);
    const crowd: Crowd = {
      addressOf: (i) => node.network.clientAddress(i),
      pathOf: (i) => (i % 9 === 0 ? '/v1/products' : `/v1/products/${products[(i * 7) % 40]?.id}`),
    };
    const history = join(node.folder, 'access.log');
    writeFileSync(history, ordinaryDay(Date.now(), crowd));
    say('installing the charts; Picket learns from the access log of the day before');
    await installPicket(node, { images, history });
    signal?.throwIfAborted();
    say('opening the shop behind two Envoys');
    const door = await openShop(node, images);
    const list = async (): Promise<RiskVerdict[]> =>
      (JSON.parse(await kubectlOn(node, 'get', 'rv', '-A', '-o', 'json')) as { items: RiskVerdict[] }).items;
    return {
      node,
      crowd,
      url: `http://${door.host}:${door.port}`,
      watched: { ports: { traffic: door }, path: '/v1/products', verdicts: list },
      strangerAddress: (i) => node.network.clientAddress(4_000 + 260 * i),
    };
  } catch (error) {
    await node.stop();
    throw error;
  }
}
