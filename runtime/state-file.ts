import { readFile, rename } from 'node:fs/promises';
import { writeFileAtomic } from './atomic-file.ts';
import type { Clock } from './clock.ts';
import { toPicketError } from './errors.ts';

/** What a state file gave on start. */
export type StateFileContent<T> =
  | { outcome: 'Read'; state: T }
  | { outcome: 'Absent' }
  /** The file could not be used; it lies at `movedTo` and work starts without it. */
  | { outcome: 'SetAside'; reason: string; movedTo: string };

export interface StateFile<T> {
  read(): Promise<StateFileContent<T>>;
  /** Atomic; mode 0600. */
  write(state: T): Promise<void>;
}

/**
 * A JSON file with a format name and a version. An unreadable one is never overwritten and never stops the process.
 *
 * @param decode checks the shape; throws with a reason when it is not what `version` promises
 */
export function createStateFile<T>(options: {
  path: string;
  format: string;
  version: number;
  decode: (state: unknown) => T;
  clock: Clock;
}): StateFile<T> {
  const { path, format, version, decode, clock } = options;

  async function setAside(reason: string): Promise<StateFileContent<T>> {
    const movedTo = `${path}.unreadable-${clock.now()}`;
    await rename(path, movedTo);
    return { outcome: 'SetAside', reason, movedTo };
  }

  return {
    async read() {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        const known = toPicketError(error, `read ${path}`);
        if (known.code === 'NotFound') return { outcome: 'Absent' };
        throw known;
      }
      try {
        const content: unknown = JSON.parse(text);
        if (!isEnvelope(content)) return await setAside('no format and version in it');
        if (content.format !== format) return await setAside(`format ${content.format}, expected ${format}`);
        if (content.version !== version) return await setAside(`version ${content.version}, expected ${version}`);
        return { outcome: 'Read', state: decode(content.state) };
      } catch (error) {
        return setAside(error instanceof Error ? error.message : String(error));
      }
    },
    async write(state) {
      await writeFileAtomic(path, `${JSON.stringify({ format, version, state })}\n`);
    },
  };
}

function isEnvelope(value: unknown): value is { format: string; version: number; state: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'format' in value &&
    typeof value.format === 'string' &&
    'version' in value &&
    typeof value.version === 'number' &&
    'state' in value
  );
}
