import type { FeedFormat, FeedKind } from '@picket/crds/gen/types.ts';
import { isIP } from 'node:net';

export interface ReputationList {
  cidrs: string[];
  asns: number[];
  userAgents: string[];
  tokenIds: string[];
  entries: number;
  /** Entries that are not of the declared kind. */
  skipped: number;
}

const maxBytes = 64 * 1024 * 1024;
/** As many prefixes as Envoy's trie holds; more would not be usable anywhere. */
export const maxReputationEntries = 262_144;
const maxValueLength = 512;

/** Formats that can be read; the others are reported as unsupported. */
export const supportedFormats: readonly FeedFormat[] = ['Plain', 'CSV', 'Netset', 'JSON'];

/**
 * Reads a list. Comments start with `#` or `;`, of a CSV row the first column counts, JSON is an array of strings,
 * numbers or objects with one of the fields below.
 *
 * @returns a sentence when nothing of it can be used.
 */
export function parseReputationList(text: string, format: FeedFormat, kind: FeedKind): ReputationList | string {
  if (text.length > maxBytes) return `spec.source: longer than ${maxBytes} bytes`;
  if (!supportedFormats.includes(format)) {
    return `spec.format: ${format} cannot be read; use one of ${supportedFormats.join(', ')}`;
  }
  const values = format === 'JSON' ? jsonValues(text) : lineValues(text, format);
  if (typeof values === 'string') return values;
  const list: ReputationList = { cidrs: [], asns: [], userAgents: [], tokenIds: [], entries: 0, skipped: 0 };
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) continue;
    if (list.entries >= maxReputationEntries || !add(list, kind, value)) {
      list.skipped++;
      continue;
    }
    seen.add(value);
    list.entries++;
  }
  if (list.entries === 0 && list.skipped > 0) {
    return `spec.kind: none of ${list.skipped} entries is ${article(kind)}; check spec.kind and spec.format`;
  }
  return list;
}

function add(list: ReputationList, kind: FeedKind, value: string): boolean {
  if (value.length > maxValueLength) return false;
  switch (kind) {
    case 'Address':
      if (!isCidr(value)) return false;
      list.cidrs.push(value);
      return true;
    case 'ASN': {
      const match = /^(?:AS)?(\d{1,10})$/i.exec(value);
      const asn = Number(match?.[1] ?? Number.NaN);
      if (!(asn > 0 && asn <= 4_294_967_295)) return false;
      list.asns.push(asn);
      return true;
    }
    case 'UserAgent':
      list.userAgents.push(value);
      return true;
    case 'TokenId':
      list.tokenIds.push(value);
      return true;
    default:
      return kind satisfies never;
  }
}

function isCidr(value: string): boolean {
  const [address = '', length, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128));
}

function* lineValues(text: string, format: FeedFormat): Generator<string> {
  for (const line of text.split('\n')) {
    const cell = format === 'CSV' ? firstCell(line) : line;
    // User agents may hold a semicolon, so there a comment takes the whole line.
    const value = cell.trim();
    if (value === '' || value.startsWith('#') || value.startsWith(';')) continue;
    yield format === 'Netset' ? (value.split(/[\s#;]/, 1)[0] ?? '') : value;
  }
}

function firstCell(line: string): string {
  const quoted = /^\s*"((?:[^"]|"")*)"/.exec(line);
  return quoted?.[1] !== undefined ? quoted[1].replaceAll('""', '"') : (line.split(',', 1)[0] ?? '');
}

const jsonFields = ['value', 'ip', 'cidr', 'prefix', 'network', 'asn', 'userAgent', 'user_agent', 'token', 'id'];

function jsonValues(text: string): string[] | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return 'spec.source: not JSON; check spec.format';
  }
  if (!Array.isArray(document)) return 'spec.source: expected a JSON array of entries';
  return document.map((entry: unknown) => {
    if (typeof entry === 'string' || typeof entry === 'number') return String(entry).trim();
    if (typeof entry !== 'object' || entry === null) return '';
    const record = entry as Record<string, unknown>;
    const value = record[jsonFields.find((field) => field in record) ?? ''];
    return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
  });
}

function article(kind: FeedKind): string {
  return { Address: 'an address or prefix', ASN: 'an AS number', UserAgent: 'a user agent', TokenId: 'a token id' }[
    kind
  ];
}
