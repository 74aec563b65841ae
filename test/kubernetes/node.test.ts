/** A whole node, with Picket, the sample shop and its Envoys as pods, and what is left when it is stopped. */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clusterImages } from '../cluster/images.ts';
import { installPicket, kubectlOn, openShop, shopManifests } from '../cluster/install.ts';
import { createHttpClient } from '../support/http-client.ts';
import { parseTable } from '../support/kubectl.ts';
import { type ClusterNode, nodeMissing, startNode } from '../support/node/node.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

const missing = nodeMissing() ?? findTool('helm').missing ?? findTool('envoy').missing;

describe.skipIf(missing)(`a whole node${missing ? ` (${missing})` : ''}`, () => {
  let node: ClusterNode;
  let door: { host: string; port: number };

  beforeAll(async () => {
    node = await startNode();
    const images = await clusterImages();
    await node.load(Object.values(images));
    await installPicket(node, { images });
    await kubectlOn(node, 'apply', '-f', shopManifests);
    door = await openShop(node, images);
  }, 900_000);
  afterAll(async () => {
    await node?.stop();
    expect(existsSync(node.folder)).toBe(false);
    expect(networkInterfaces()[node.network.name]).toBeUndefined();
  });

  test('callers reach the shop through its Envoys, each with the address it has', async () => {
    const client = createHttpClient({ ...door, localAddress: node.network.clientAddress(7) });
    expect((await client.send({ method: 'GET', path: '/v1/products' })).status).toBe(200);
    client.close();
  });

  test('both Envoys acknowledged what the operator serves', async () => {
    await waitFor('Programmed', async () => {
      const [row] = parseTable(await kubectlOn(node, 'get', 'bpol'));
      return row?.['PROGRAMMED'] === 'True' || undefined;
    });
    const message = 'jsonpath={.status.conditions[?(@.type=="Programmed")].message}';
    expect(await kubectlOn(node, 'get', 'papi', 'shop', '-o', message)).toContain('2 of 2 Envoys');
  });
});
