/** The images of a cluster with Picket, an Envoy and the sample shop, and the chart's values that name them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { buildImage, programImage, shopImage } from '../support/images.ts';

/** Names with tags. */
export interface ClusterImages {
  operator: string;
  analyzer: string;
  nats: string;
  envoy: string;
  shop: string;
}

/** Builds what has not been built of these sources; minutes the first time. */
export async function clusterImages(signal?: AbortSignal): Promise<ClusterImages> {
  const images: Partial<ClusterImages> = {};
  for (const name of ['operator', 'analyzer', 'nats', 'envoy', 'shop'] as const) {
    signal?.throwIfAborted();
    if (name === 'shop') images[name] = await shopImage();
    else images[name] = name === 'nats' || name === 'envoy' ? await programImage(name) : await buildImage(name);
  }
  return images as ClusterImages;
}

function chartValues({ operator, analyzer, nats }: ClusterImages): object {
  const named = (image: string): object => {
    const colon = image.lastIndexOf(':');
    return { image: { repository: image.slice(0, colon), tag: image.slice(colon + 1) } };
  };
  return { imagePullPolicy: 'Never', operator: named(operator), analyzer: named(analyzer), nats: named(nats) };
}

/** Writes `picket-values.yaml` into `folder`; resolves to its path. */
export function valuesFile(folder: string, images: ClusterImages): string {
  const path = join(folder, 'picket-values.yaml');
  writeFileSync(path, stringify(chartValues(images)));
  return path;
}
