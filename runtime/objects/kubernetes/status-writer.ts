/**
 * Statuses, whatever the age of the installed definitions: what one lacks is left out, and written when it has been
 * upgraded, without a restart and without waiting for the next change of the object.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../log.ts';
import type { ObjectKey } from '../object-store.ts';
import { createUnknownFields } from './unknown-fields.ts';

export interface StatusWriter {
  apply(key: ObjectKey, status: object, fieldManager: string): Promise<void>;
  close(): Promise<void>;
}

type Write = [key: ObjectKey, status: object, fieldManager: string];

export function createStatusWriter(options: {
  /** Sends it; fields that the definition does not have are an error. */
  patch(...write: Write): Promise<void>;
  mayWrite(): boolean;
  completeEveryMs: number;
  log: Logger;
}): StatusWriter {
  const { log } = options;
  const unknownFields = createUnknownFields();
  /** The last status of each object that was written in part, by kind. */
  const incomplete = new Map<string, Map<string, Write>>();
  let completing = Promise.resolve();
  /** What is being completed now: a newer status of that object comes after it. */
  let current: { last: Write; done: Promise<unknown> } | undefined;
  let closed = false;
  const timer = setInterval(() => {
    completing = completing.then(completeAll);
  }, options.completeEveryMs);
  timer.unref();

  /** @returns whether all of it was written */
  async function write(key: ObjectKey, status: object, fieldManager: string): Promise<boolean> {
    for (let sent = unknownFields.known(key.kind, status); ; ) {
      try {
        await options.patch(key, sent, fieldManager);
        return sent === status;
      } catch (error) {
        if (!unknownFields.learn(key.kind, error)) throw error;
        // Another write may have learned the same meanwhile.
        const rest = unknownFields.known(key.kind, status);
        if (isDeepStrictEqual(rest, sent)) throw error;
        sent = rest;
        log.warn('the installed definition is older than this program: upgrade picket-crds', { kind: key.kind, error });
      }
    }
  }

  async function apply(...[key, status, fieldManager]: Write): Promise<void> {
    const name = `${key.namespace}/${key.name}`;
    const left = incomplete.get(key.kind);
    if (current && current.last === left?.get(name)) await current.done;
    left?.delete(name);
    if (await write(key, status, fieldManager)) return;
    const kept = left ?? incomplete.get(key.kind) ?? new Map<string, Write>();
    incomplete.set(key.kind, kept.set(name, [key, status, fieldManager]));
  }

  /** One object of a kind tells whether the definition was upgraded; the others follow only if it was. */
  async function completeAll(): Promise<void> {
    for (const [kind, left] of incomplete) {
      unknownFields.forget(kind);
      for (const [name, last] of left) {
        // Whoever writes now has seen all objects since it began to.
        if (closed || !options.mayWrite()) return incomplete.clear();
        if (left.get(name) !== last) continue;
        const done = write(...last).catch((error: unknown) => {
          // It is gone, or its next status says what is wrong.
          log.warn('status not completed', { kind, error });
          return true;
        });
        current = { last, done };
        const isComplete = await done;
        current = undefined;
        if (!isComplete) break;
        if (left.get(name) === last) left.delete(name);
      }
    }
  }

  return {
    apply,
    async close() {
      closed = true;
      clearInterval(timer);
      await completing;
    },
  };
}
