/** Gathers what a folder says: lists, reads what changed, parses it, and leaves the judgement to `loadFolder`. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { toPicketError } from '../errors.ts';
import { loadFolder, type LoadOutcome, type ManifestObject } from './folder-load.ts';
import { listFolder, readFiles } from './folder-scan.ts';
import { maxFileBytes, type ParsedFile, parseManifests } from './manifest.ts';
import type { ObjectSchemas } from './object-schemas.ts';

export interface FolderReader {
  /**
   * What shall be in force, or undefined when nothing changed since the last reading.
   *
   * @throws PicketError when the folder itself cannot be read
   */
  read(previous: ReadonlyMap<string, ManifestObject>): Promise<LoadOutcome | undefined>;
}

export function createFolderReader(folder: string, schemas: ObjectSchemas): FolderReader {
  const parsed = new Map<string, { stamp: string; result: ParsedFile }>();
  /** Files that manifests name, with what they looked like when read. */
  const referenced = new Map<string, string>();
  let lastListing: string | undefined;

  function stampOf(file: string): string {
    try {
      const info = statSync(join(folder, file));
      return `${info.ino}:${info.size}:${info.mtimeMs}:${info.ctimeMs}`;
    } catch {
      return 'absent';
    }
  }

  function readText(file: string): { text: string } | { error: string } {
    referenced.set(file, stampOf(file));
    try {
      const root = realpathSync(folder);
      const path = realpathSync(join(root, file));
      // A link must not carry a file of the host into an object that anybody can read.
      if (!path.startsWith(root + sep)) return { error: `"${file}" leads out of the folder of manifests` };
      if (statSync(path).size > maxFileBytes) return { error: `"${file}" has more than ${maxFileBytes} bytes` };
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)) };
    } catch (error) {
      return { error: toPicketError(error, `"${file}" cannot be read`).message };
    }
  }

  return {
    async read(previous) {
      const listing = await listFolder(folder);
      const signature = JSON.stringify(listing);
      const referencesHold = [...referenced].every(([file, stamp]) => stampOf(file) === stamp);
      if (signature === lastListing && referencesHold) return undefined;
      const changed = listing.files.filter((file) => parsed.get(file.file)?.stamp !== file.stamp);
      const read = await readFiles(folder, changed);
      for (const { file, stamp } of changed) {
        const bytes = read.contents.get(file);
        if (bytes) parsed.set(file, { stamp, result: parseManifests(file, bytes) });
        else parsed.delete(file);
      }
      const listed = new Set(listing.files.map((file) => file.file));
      for (const file of parsed.keys()) if (!listed.has(file)) parsed.delete(file);
      referenced.clear();
      const outcome = loadFolder({
        files: listing.files.flatMap(({ file }) => parsed.get(file)?.result ?? []),
        unreadable: [...listing.problems, ...read.problems],
        previous,
        schemas,
        readText,
      });
      // What could not be read is tried again next time.
      lastListing = read.problems.length === 0 ? signature : undefined;
      return outcome;
    },
  };
}
