/**
 * The keys behind pseudonyms: one ring per identity domain, in a file only its owner can read.
 *
 * A ring holds the active key, during a rotation also the previous one, and a content key. The content key hashes
 * what is no identity (paths, user agents, objects) and is never rotated: a new one would make everything look new.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';

export interface RingKey {
  /** 16 hex digits; goes into the inputs log, tells nothing about the secret. */
  id: string;
  /** 32 bytes. */
  secret: Uint8Array;
  createdAtMs: number;
}

export interface KeyRing {
  active: RingKey;
  previous?: RingKey;
  /** While event time is below this, hashes under `previous` are computed too. */
  overlapUntilMs: number;
  /** 32 bytes. */
  contentSecret: Uint8Array;
}

/** `readable`: others may read the file. `corrupt`: not a ring, or of a version this build does not know. */
export class KeyRingError extends Error {
  readonly code: 'readable' | 'corrupt' | 'io';
  constructor(code: KeyRingError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'KeyRingError';
    this.code = code;
  }
}

export type RandomBytes = (count: number) => Uint8Array;

/** Default overlap of a rotation: long enough for a weekly caller to come by. */
const defaultOverlapMs = 8 * 24 * 3_600_000;

interface RingFile {
  version: 1;
  active: { id: string; secret: string; createdAtMs: number };
  previous?: { id: string; secret: string; createdAtMs: number };
  overlapUntilMs: number;
  content: string;
}

/** A ring that lives as long as the process; for `picket analyze` and tests. */
export function createKeyRing(random: RandomBytes, nowMs: number): KeyRing {
  return { active: createKey(random, nowMs), overlapUntilMs: 0, contentSecret: random(32) };
}

/**
 * Reads the ring at `path`, or writes a new one there with mode 0600. A file that is there but unusable is an error,
 * never a reason to make new keys: every profile would lose its owner.
 *
 * @throws KeyRingError
 */
export function loadOrCreateKeyRing(path: string, random: RandomBytes, nowMs: number): KeyRing {
  const found = readKeyRing(path);
  if (found) return found;
  const ring = createKeyRing(random, nowMs);
  saveKeyRing(path, ring);
  return ring;
}

/** The ring at `path`, undefined when there is no such file. @throws KeyRingError */
export function readKeyRing(path: string): KeyRing | undefined {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new KeyRingError('readable', `${path} has mode ${mode.toString(8)}; others may read it: chmod 600 ${path}`);
    }
    return decodeRing(path, readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof KeyRingError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new KeyRingError('io', `${path} cannot be read`, error);
  }
}

/** The ring once its overlap is over: without the previous key, which nothing may read any more. Not written. */
export function retireKey(ring: KeyRing): KeyRing {
  return { active: ring.active, overlapUntilMs: 0, contentSecret: ring.contentSecret };
}

/** A ring whose active key is new and whose previous key stays in use until `nowMs + overlapMs`. Not written. */
export function rotateKeyRing(
  ring: KeyRing,
  random: RandomBytes,
  nowMs: number,
  overlapMs: number = defaultOverlapMs,
): KeyRing {
  return {
    active: createKey(random, nowMs),
    previous: ring.active,
    overlapUntilMs: nowMs + overlapMs,
    contentSecret: ring.contentSecret,
  };
}

/** Writes the ring atomically. @throws KeyRingError */
export function saveKeyRing(path: string, ring: KeyRing): void {
  const file: RingFile = {
    version: 1,
    active: encodeKey(ring.active),
    ...(ring.previous ? { previous: encodeKey(ring.previous) } : {}),
    overlapUntilMs: ring.overlapUntilMs,
    content: Buffer.from(ring.contentSecret).toString('base64'),
  };
  const draft = `${path}.new`;
  try {
    unlinkIfThere(draft);
    const fd = openSync(draft, 'wx', 0o600);
    try {
      writeSync(fd, `${JSON.stringify(file, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (error) {
    throw new KeyRingError('io', `${path} cannot be written`, error);
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function createKey(random: RandomBytes, nowMs: number): RingKey {
  return { id: Buffer.from(random(8)).toString('hex'), secret: random(32), createdAtMs: nowMs };
}

function encodeKey(key: RingKey): RingFile['active'] {
  return { id: key.id, secret: Buffer.from(key.secret).toString('base64'), createdAtMs: key.createdAtMs };
}

function decodeRing(path: string, text: string): KeyRing {
  let file: Partial<RingFile>;
  try {
    file = JSON.parse(text) as Partial<RingFile>;
  } catch {
    // The parser's message quotes the text, which is a secret.
    throw new KeyRingError('corrupt', `${path} is not JSON`);
  }
  if (typeof file !== 'object' || file === null || file.version !== 1) {
    throw new KeyRingError('corrupt', `${path} is not a key ring of version 1`);
  }
  const overlapUntilMs = file.overlapUntilMs;
  if (typeof overlapUntilMs !== 'number') throw new KeyRingError('corrupt', `${path} has no overlapUntilMs`);
  return {
    active: decodeKey(path, 'active', file.active),
    ...(file.previous ? { previous: decodeKey(path, 'previous', file.previous) } : {}),
    overlapUntilMs,
    contentSecret: decodeSecret(path, 'content', file.content),
  };
}

function decodeKey(path: string, field: string, key: Partial<RingFile['active']> | undefined): RingKey {
  if (!key || typeof key.id !== 'string' || typeof key.createdAtMs !== 'number') {
    throw new KeyRingError('corrupt', `${path}: ${field} needs id, secret and createdAtMs`);
  }
  return { id: key.id, secret: decodeSecret(path, `${field}.secret`, key.secret), createdAtMs: key.createdAtMs };
}

function decodeSecret(path: string, field: string, value: unknown): Uint8Array {
  const secret = typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : new Uint8Array(0);
  if (secret.length !== 32) throw new KeyRingError('corrupt', `${path}: ${field} is not 32 bytes of base64`);
  return secret;
}
