/** Which format a file has: told from its first bytes, or named on the command line. */
import { createAccessRecord, Feed } from '../ingest/access-record.ts';
import { decodeText } from './decode-text.ts';
import { createFramer } from './framer.ts';
import { createAutoReader, createLineReader, formatAliases, type LineFormat, lineFormats } from './formats.ts';
import { createRegexReader } from './formats/custom-regex.ts';
import { createAlsBinaryReader } from './formats/als-binary.ts';
import { createHarEntryReader } from './formats/har.ts';
import type { Framing, RecordSink, UnitReader } from './log-format.ts';

export interface LogFormat {
  /** For people: `combined`, `envoy-json`, `har`. */
  name: string;
  framing: Framing;
  createReader(): UnitReader;
}

/** Lines that vote. */
const maxVotes = 400;

/** Format by name or `regex:<expression>`. @throws Error with a sentence for the command line. */
export function namedFormat(name: string): LogFormat {
  if (name.startsWith('regex:')) {
    const source = name.slice(6);
    // Fails now, not at the first line.
    createRegexReader(source);
    return { name: 'regex', framing: 'lines', createReader: () => createRegexReader(source) };
  }
  const lower = name.toLowerCase();
  const known = (lineFormats as readonly string[]).includes(lower) ? (lower as LineFormat) : formatAliases[lower];
  if (known === undefined) {
    const names = [...lineFormats, ...Object.keys(formatAliases)].sort().join(', ');
    throw new Error(`--format ${name} is unknown; use one of ${names}, or regex:<expression with named groups>`);
  }
  if (known === 'har') return harFormat;
  if (known === 'als-binary') return alsBinaryFormat;
  return { name: lower, framing: 'lines', createReader: () => createLineReader(known) };
}

/** JSON documents may span lines whatever their name; `sample` tells. Undefined when nothing in it is an access record. */
export function detectFormat(sample: Buffer, override?: string): LogFormat | undefined {
  const named = override === undefined || override === 'auto' ? undefined : namedFormat(override);
  const text = decodeText(sample, 0, sample.length).replace(/^\uFEFF/, '');
  if (named !== undefined)
    return named.framing === 'lines' && isJsonName(named.name) ? jsonFormat(text, named.name) : named;
  if (looksBinary(sample)) return beginsWithAls(sample) ? alsBinaryFormat : undefined;
  const first = /[^\s]/.exec(text)?.[0];
  if (first === '{' && /^\s*\{\s*"log"\s*:\s*\{/.test(text)) return harFormat;
  if (first === '{' || (first === '[' && /^\s*\[\s*[{\]]/.test(text))) {
    const json = jsonFormat(text, jsonName(text));
    if (json.framing === 'json-objects') return json;
  }
  return voteOnLines(text);
}

function isJsonName(name: string): boolean {
  return name === 'json' || formatAliases[name] === 'json';
}

function jsonFormat(text: string, name: string): LogFormat {
  const lines = /^\s*\[\s*[{\]]/.test(text) ? false : hasWholeObjectLine(text);
  return { name, framing: lines ? 'lines' : 'json-objects', createReader: () => createAutoReader('json') };
}

/** Whether objects stand on lines of their own. */
function hasWholeObjectLine(text: string): boolean {
  for (const line of text.split('\n', 30)) {
    const trimmed = line.trim();
    const open = trimmed.indexOf('{');
    if (open < 0 || !trimmed.endsWith('}') || trimmed.length < 20) continue;
    try {
      JSON.parse(trimmed.slice(open));
      // `{"address": {...}}` inside a larger document parses as well, but is indented.
      return line.charCodeAt(0) !== 32 && line.charCodeAt(0) !== 9;
    } catch {
      // Not this one: broken lines occur.
    }
  }
  return false;
}

function jsonName(text: string): string {
  const head = text.slice(0, 4096);
  if (/"resource_?[lL]ogs"/.test(head)) return 'otlp';
  if (/"http_?[lL]ogs"/.test(head)) return 'als';
  if (head.includes('"DownstreamStatus"')) return 'traefik-json';
  if (head.includes('"http.log.access') || (head.includes('"resp_headers"') && head.includes('"ts"')))
    return 'caddy-json';
  if (head.includes('"response_flags"') || head.includes('"x-envoy-')) return 'envoy-json';
  if (/"(?:remote_addr|time_iso8601|time_local|body_bytes_sent)"/.test(head)) return 'nginx-json';
  return 'json';
}

/** NUL bytes or many control characters: no text. UTF-16 was decoded before. */
function looksBinary(sample: Buffer): boolean {
  const head = sample.subarray(0, 1024);
  let control = 0;
  for (const c of head) if (c < 9 || (c > 13 && c < 27)) control++;
  return control > 2 && control * 50 > head.length;
}

function voteOnLines(text: string): LogFormat | undefined {
  const lines = text.split('\n');
  // The last line of a full sample is cut off.
  if (lines.length > 2) lines.pop();
  const sink = createProbeSink();
  const auto = createAutoReader();
  const candidates = new Map<LineFormat, number>();
  let votes = 0;
  for (const raw of lines) {
    const line = raw.trim();
    if (line === '') continue;
    const outcome = auto.read(line, sink);
    if (outcome !== 'pass') continue;
    for (const name of lineFormats) {
      if (createLineReader(name).read(line, sink) === 'pass') {
        candidates.set(name, (candidates.get(name) ?? 0) + 1);
        break;
      }
    }
    // W3C columns need their directive, which a fresh reader has not seen.
    votes++;
    if (votes >= maxVotes) break;
  }
  if (votes === 0) return /^#(?:Fields|Version|Software)/im.test(text) ? lineFormat('w3c', 'w3c') : undefined;
  const [best = 'w3c', count = 0] = [...candidates].sort((a, b) => b[1] - a[1])[0] ?? [];
  const winner: LineFormat = count * 2 >= votes ? best : /^#Fields/im.test(text) ? 'w3c' : best;
  return lineFormat(winner, winner === 'json' ? jsonName(text) : winner);
}

function lineFormat(first: LineFormat, name: string): LogFormat {
  return { name, framing: 'lines', createReader: () => createAutoReader(first) };
}

function createProbeSink(): RecordSink {
  const record = createAccessRecord(Feed.replay, '');
  return { blank: () => record, commit: () => {}, reject: () => {} };
}

const harFormat: LogFormat = { name: 'har', framing: 'har-entries', createReader: createHarEntryReader };

const alsBinaryFormat: LogFormat = {
  name: 'als-binary',
  framing: 'delimited',
  createReader: createAlsBinaryReader,
};

/** Whether the first message, or as much as is here, reads as one. */
function beginsWithAls(sample: Buffer): boolean {
  const sink = createProbeSink();
  const reader = createAlsBinaryReader();
  let readable = false;
  const framer = createFramer('delimited', {
    unit: () => {},
    message(bytes, ordinal) {
      if (ordinal === 1) readable = reader.readMessage?.(bytes, sink) === 'pass';
    },
    reject: () => {},
  });
  framer.push(sample);
  return readable;
}
