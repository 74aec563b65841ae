import {
  createWireReader,
  openWire,
  readExtent,
  readTag,
  readVarint32,
  skipField,
  type WireReader,
} from './wire-reader.ts';

/** What `AccessRecord.metadata` answers. */
export type MetadataValue = string | number | boolean | undefined;

/**
 * Looks values up in the bytes of `envoy.config.core.v3.Metadata`, on demand: of the metadata that filters leave
 * behind, a policy reads a handful of fields. Structs, lists and nulls answer undefined.
 *
 * Follows protobuf's rules for what encoders do not do but may: the last map entry of a key wins, repeated struct
 * values merge, setting another member of a oneof clears the first.
 */
export interface DynamicMetadata {
  /** Forgets all extents; call between entries. */
  clear(): void;
  /** Adds an occurrence of the metadata message; several merge. */
  add(start: number, end: number): void;
  get(namespace: string, path: string): MetadataValue;
  /** A lookup of its own over a copy of the bytes, for entries that outlive their message. */
  detach(): (namespace: string, path: string) => MetadataValue;
}

/** Distinct (namespace, path) pairs come from policies; past this many the parsed form is made anew. */
const MAX_PARSED_PATHS = 1024;

/**
 * @param r its bytes are read at lookup; its position and fault are left as found.
 * @param parsed paths in parsed form; shared by what was detached
 */
export function createDynamicMetadata(
  r: WireReader,
  parsed = new Map<string, Map<string, Buffer[]>>(),
): DynamicMetadata {
  const extents: number[] = [];
  let parsedCount = 0;
  let found: MetadataValue;

  return {
    clear() {
      extents.length = 0;
    },
    add(start, end) {
      extents.push(start, end);
    },
    get(namespace, path) {
      if (extents.length === 0) return undefined;
      const keys = keysOf(namespace, path);
      const { pos, fault } = r;
      found = undefined;
      for (let i = 0; i < extents.length; i += 2) {
        r.fault = 'none';
        r.pos = extents[i] as number;
        // Metadata.filter_metadata: map<string, Struct>.
        readMap(extents[i + 1] as number, keys, 0, readStruct);
        if (r.fault !== 'none') found = undefined;
      }
      r.pos = pos;
      r.fault = fault;
      const result = found;
      found = undefined;
      return result;
    },
    detach() {
      if (extents.length === 0) return () => undefined;
      const parts: Buffer[] = [];
      for (let i = 0; i < extents.length; i += 2) parts.push(r.bytes.subarray(extents[i], extents[i + 1]));
      const own = createWireReader();
      openWire(own, Buffer.concat(parts));
      const copy = createDynamicMetadata(own, parsed);
      let at = 0;
      for (const part of parts) copy.add(at, (at += part.length));
      return copy.get;
    },
  };

  function keysOf(namespace: string, path: string): Buffer[] {
    const known = parsed.get(namespace)?.get(path);
    if (known) return known;
    if (parsedCount >= MAX_PARSED_PATHS) {
      parsed.clear();
      parsedCount = 0;
    }
    const keys = [namespace, ...path.split('/')].map((key) => Buffer.from(key));
    const paths = parsed.get(namespace) ?? new Map<string, Buffer[]>();
    parsed.set(namespace, paths.set(path, keys));
    parsedCount++;
    return keys;
  }

  /** A map in field 1 of the message at `r.pos`; `readValue` gets the values under `keys[depth]`. */
  function readMap(end: number, keys: Buffer[], depth: number, readValue: ReadValue): void {
    const key = keys[depth] as Buffer;
    while (r.pos < end) {
      const tag = readTag(r, end);
      if (tag !== 0x0a) {
        skipField(r, tag, end);
        continue;
      }
      const entryEnd = readExtent(r, end);
      const start = r.pos;
      if (!entryHasKey(entryEnd, key)) continue;
      found = undefined;
      r.pos = start;
      while (r.pos < entryEnd) {
        const entryTag = readTag(r, entryEnd);
        if (entryTag === 0x12) readValue(readExtent(r, entryEnd), keys, depth + 1);
        else skipField(r, entryTag, entryEnd);
      }
    }
  }

  /** Of several keys in one entry the last counts; none at all is the empty key. Leaves `r.pos` at the end. */
  function entryHasKey(end: number, key: Buffer): boolean {
    let same = key.length === 0;
    while (r.pos < end) {
      const tag = readTag(r, end);
      if (tag !== 0x0a) {
        skipField(r, tag, end);
        continue;
      }
      const keyEnd = readExtent(r, end);
      if (r.fault !== 'none') return false;
      same = keyEnd - r.pos === key.length && equals(r.bytes, r.pos, key);
      r.pos = keyEnd;
    }
    return same && r.fault === 'none';
  }

  function readStruct(end: number, keys: Buffer[], depth: number): void {
    readMap(end, keys, depth, readGoogleValue);
  }

  function readGoogleValue(end: number, keys: Buffer[], depth: number): void {
    const wanted = depth === keys.length;
    while (r.pos < end) {
      const tag = readTag(r, end);
      switch (tag) {
        case 0x08: // null_value
          readVarint32(r, end);
          found = undefined;
          break;
        case 0x11: // number_value
          if (r.pos + 8 <= end && wanted) found = r.bytes.readDoubleLE(r.pos);
          else found = undefined;
          skipField(r, tag, end);
          break;
        case 0x1a: {
          const stringEnd = readExtent(r, end);
          found = wanted ? r.bytes.toString('utf8', r.pos, stringEnd) : undefined;
          r.pos = stringEnd;
          break;
        }
        case 0x20: // bool_value
          found = readVarint32(r, end) !== 0;
          if (!wanted) found = undefined;
          break;
        case 0x2a: {
          const structEnd = readExtent(r, end);
          if (wanted) {
            found = undefined;
            r.pos = structEnd;
          } else readStruct(structEnd, keys, depth);
          break;
        }
        case 0x32: // list_value
          found = undefined;
          skipField(r, tag, end);
          break;
        default:
          skipField(r, tag, end);
      }
    }
  }
}

/** Keys are short: a loop costs a fifth of a call of `Buffer.compare`. Past the end nothing equals anything. */
function equals(bytes: Buffer, at: number, key: Buffer): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}

type ReadValue = (end: number, keys: Buffer[], depth: number) => void;
