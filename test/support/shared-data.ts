/** Recorded traffic beside the checkout. It is not part of the repository: tests without it are skipped and say so. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Found, repositoryRoot } from './tools.ts';

const root = resolve(repositoryRoot, '../shared/data');

/** Path of a recorded file or folder, or why it is not there. */
export function findSharedData(...segments: string[]): Found {
  const path = join(root, ...segments);
  return existsSync(path) ? { path } : { missing: `no recorded data at ../shared/data/${segments.join('/')}` };
}
