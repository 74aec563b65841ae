/** Reads the files of a folder, within limits, whatever lies in it. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { toPicketError } from '../errors.ts';
import { maxFileBytes } from './manifest.ts';
import type { Problem, ProblemReason } from './problem.ts';

const MAX_FILES = 2000;
const MAX_DEPTH = 8;
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;

export interface FolderFile {
  /** Relative to the folder, with slashes. */
  file: string;
  /** Changes when the content may have changed. */
  stamp: string;
}

export interface FolderListing {
  files: FolderFile[];
  problems: Problem[];
}

/**
 * Manifests (`.yaml`, `.yml`, `.json`) below `root`, sorted. Links are followed, names that start with a dot are not:
 * a mounted ConfigMap keeps its versions there and links to the current one.
 *
 * @throws PicketError when `root` itself cannot be read
 */
export async function listFolder(root: string): Promise<FolderListing> {
  const listing: FolderListing = { files: [], problems: [] };
  await readdir(root).catch((error: unknown) => {
    throw toPicketError(error, `read the folder ${root}`);
  });
  await walk(root, '', 0, new Set(), listing);
  listing.files.sort((a, b) => (a.file < b.file ? -1 : 1));
  if (listing.files.length > MAX_FILES) {
    const message = `${listing.files.length} manifests; a folder may have ${MAX_FILES}. The rest is left out`;
    listing.problems.push(problem('', 'TooMany', message));
    listing.files.length = MAX_FILES;
  }
  return listing;
}

async function walk(
  root: string,
  folder: string,
  depth: number,
  seen: Set<string>,
  listing: FolderListing,
): Promise<void> {
  const here = join(root, folder);
  const real = await realpath(here);
  // Links may lead in a circle.
  if (seen.has(real)) return;
  seen.add(real);
  if (depth > MAX_DEPTH) {
    listing.problems.push(problem(folder, 'TooMany', `is nested deeper than ${MAX_DEPTH} folders and left out`));
    return;
  }
  for (const name of await readdir(here)) {
    if (name.startsWith('.')) continue;
    const file = folder === '' ? name : `${folder}/${name}`;
    try {
      const info = await stat(join(root, file));
      if (info.isDirectory()) await walk(root, file, depth + 1, seen, listing);
      else if (info.isFile() && /\.(ya?ml|json)$/i.test(name) && listing.files.length <= MAX_FILES) {
        listing.files.push({ file, stamp: `${info.ino}:${info.size}:${info.mtimeMs}:${info.ctimeMs}` });
      }
    } catch (error) {
      listing.problems.push(problem(file, 'Unreadable', toPicketError(error, 'cannot be read').message));
    }
  }
}

export interface ReadFiles {
  contents: Map<string, Uint8Array>;
  problems: Problem[];
}

/** Content of the listed files. One that vanished meanwhile is left out: the next scan sees the folder without it. */
export async function readFiles(root: string, files: readonly FolderFile[]): Promise<ReadFiles> {
  const result: ReadFiles = { contents: new Map(), problems: [] };
  let total = 0;
  for (const { file } of files) {
    try {
      const info = await stat(join(root, file));
      if (info.size > maxFileBytes) {
        const message = `${info.size} bytes; a file may have ${maxFileBytes}. Split it`;
        result.problems.push(problem(file, 'TooLarge', message));
        continue;
      }
      total += info.size;
      if (total > MAX_TOTAL_BYTES) {
        const message = `the folder holds more than ${MAX_TOTAL_BYTES} bytes; this file is left out`;
        result.problems.push(problem(file, 'TooLarge', message));
        continue;
      }
      result.contents.set(file, await readFile(join(root, file)));
    } catch (error) {
      const known = toPicketError(error, 'cannot be read');
      if (known.code !== 'NotFound') result.problems.push(problem(file, 'Unreadable', known.message));
    }
  }
  return result;
}

function problem(file: string, reason: ProblemReason, message: string): Problem {
  return { severity: 'Error', reason, file, message, keptLastGood: false };
}
