/** YAML text to objects with positions, within limits: what comes from a folder may be anything. */
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type ScalarTag,
  type Tags,
  visit,
} from 'yaml';
import type { Problem, ProblemReason } from './problem.ts';
import { exceedsYamlLimits } from './yaml-limits.ts';

export const maxFileBytes = 2 * 1024 * 1024;
/** Expansions of aliases in one document; honest manifests have a handful. */
const MAX_ALIASES = 100;

export interface Position {
  line: number;
  column: number;
}

/** One object as it stands in a file. */
export interface Manifest {
  file: string;
  object: Record<string, unknown>;
  /** Position of a field by its path (`spec.hosts[0]`), or of the nearest enclosing one that is there. */
  locate(field: string): Position;
}

export interface ParsedFile {
  file: string;
  manifests: Manifest[];
  problems: Problem[];
  /** False when a part could not be read: what the file defined before may still be meant. */
  complete: boolean;
}

export function parseManifests(file: string, bytes: Uint8Array): ParsedFile {
  if (bytes.byteLength > maxFileBytes) {
    return failed(file, 'TooLarge', `${bytes.byteLength} bytes; a file may have ${maxFileBytes}. Split it`);
  }
  const text = decodeText(bytes);
  if (typeof text !== 'string') return failed(file, 'NotText', text.message, text);
  const beyond = exceedsYamlLimits(text);
  if (beyond) return failed(file, 'TooLarge', beyond.message, lineOf(text, beyond.offset));
  const lines = new LineCounter();
  let documents: Document[];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      // The parser compares every key with every other; see findDuplicateKey.
      uniqueKeys: false,
      merge: true,
      customTags: booleansOfKubernetes,
      logLevel: 'silent',
    });
    documents = Array.isArray(parsed) ? [...parsed] : [];
  } catch (error) {
    // Nesting beyond the stack of the parser ends here.
    return failed(file, 'Syntax', `cannot be parsed: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed: ParsedFile = { file, manifests: [], problems: [], complete: true };
  for (const document of documents) readDocument(document, lines, parsed);
  return parsed;
}

function readDocument(document: Document, lines: LineCounter, into: ParsedFile): void {
  const fail = (reason: ProblemReason, message: string, offset: number) => {
    into.complete = false;
    into.problems.push({
      severity: 'Error',
      reason,
      file: into.file,
      ...position(lines, offset),
      message,
      keptLastGood: false,
    });
  };
  const [error] = document.errors;
  if (error) return fail('Syntax', `not valid YAML: ${error.message}`, error.pos[0]);
  const twice = findDuplicateKey(document);
  if (twice !== undefined) return fail('Syntax', 'not valid YAML: the same key stands twice in one map', twice);
  const start = document.contents?.range?.[0] ?? document.range?.[0] ?? 0;
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    return fail('TooLarge', `aliases expand to too much; write the repeated parts out`, start);
  }
  if (!isJson(value))
    return fail('Syntax', 'a tag such as !!binary or !!set makes no value that an object can have', start);
  // Empty documents are what `---` at the end of a file leaves.
  if (value === null || value === undefined) return;
  if (!isObject(value)) return fail('NotAnObject', 'must be an object with apiVersion, kind, metadata and spec', start);
  // A contract that lies beside the manifests is no manifest.
  if ('openapi' in value || 'swagger' in value) return;
  const { items } = value;
  if (value['kind'] === 'List' && Array.isArray(items)) {
    items.forEach((item: unknown, i) => {
      const at = offsetOf(document, `items[${i}]`);
      if (!isObject(item)) return fail('NotAnObject', 'every item of a List must be an object', at);
      into.manifests.push(manifest(into.file, item, document, lines, `items[${i}]`));
    });
    return;
  }
  into.manifests.push(manifest(into.file, value, document, lines, ''));
}

/** Offset of a key that stands twice in its map. */
function findDuplicateKey(document: Document): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === '<<') continue;
        if (seen.has(key.value)) {
          offset = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return offset;
}

function lineOf(text: string, offset: number): Position {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function manifest(
  file: string,
  object: Record<string, unknown>,
  document: Document,
  lines: LineCounter,
  prefix: string,
): Manifest {
  return {
    file,
    object,
    locate: (field) => position(lines, offsetOf(document, prefix === '' ? field : `${prefix}.${field}`)),
  };
}

/** Offset of the key or item that `field` names, or of the last part of the path that exists. */
function offsetOf(document: Document, field: string): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const segment of field.match(/[^.[\]]+/g) ?? []) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === segment);
      if (pair === undefined) return offset;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      const range = node !== null && typeof node === 'object' && 'range' in node ? node.range : undefined;
      if (Array.isArray(range)) offset = Number(range[0]);
    } else {
      return offset;
    }
  }
  return offset;
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function failed(file: string, reason: ProblemReason, message: string, at: Partial<Position> = {}): ParsedFile {
  const where = at.line === undefined ? {} : { line: at.line, column: at.column ?? 1 };
  const problem: Problem = { severity: 'Error', reason, file, ...where, message, keptLastGood: false };
  return { file, manifests: [], problems: [problem], complete: false };
}

function decodeText(bytes: Uint8Array): string | (Position & { message: string }) {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { line: 1, column: 1, message: 'is UTF-16; save it as UTF-8' };
  }
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    return { line: firstBadLine(bytes), column: 1, message: 'is not UTF-8; save it as UTF-8' };
  }
}

function firstBadLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end;
  }
  return line;
}

/** `yes`, `on` and their kin are booleans to kubectl (YAML 1.1), and the same file must mean the same here. */
function booleansOfKubernetes(tags: Tags): Tags {
  const boolean: ScalarTag = {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    identify: (value) => typeof value === 'boolean',
    test: /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
    resolve: (text) => /^(?:y|yes|true|on)$/i.test(text),
  };
  return [boolean, ...tags.filter((tag) => typeof tag === 'string' || tag.tag !== boolean.tag)];
}

/** Tags of YAML make bytes, dates, sets and maps; objects are JSON. */
function isJson(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isJson);
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isJson);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
