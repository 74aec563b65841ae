/** The request line as logs quote it. */
import type { AccessRecord } from '../ingest/access-record.ts';
import { createTextCache, ownText } from './text-cache.ts';

interface RequestLine {
  method: string;
  path: string;
}

/** Most requests of a site are for few paths. */
const requestLine = createTextCache({ slots: 16_384, maxCharacters: 160 }, readRequestLine);

/**
 * Fills method and path from a part of the line, all of it unless told. What is no HTTP request line (TLS hellos, binary probes, single words) is kept, not dropped:
 * the method stays "" and the path is the raw text, so that its sender is still seen.
 */
export function applyRequestLine(r: AccessRecord, line: string, from = 0, to = line.length): void {
  const { method, path } = requestLine(line, from, to);
  r.method = method;
  r.path = path;
}

function readRequestLine(raw: string): RequestLine {
  const first = raw.indexOf(' ');
  if (first > 0 && first <= 24 && isMethod(raw, first)) {
    const last = raw.lastIndexOf(' ');
    const withProtocol = last > first && raw.startsWith('HTTP/', last + 1);
    // Tools that try what a server does with HTTP/1.2; no client speaks it.
    if (withProtocol && !versions.has(raw.slice(last + 6))) return { method: '', path: raw };
    const path = withProtocol ? raw.slice(first + 1, last) : raw.slice(first + 1);
    const c = path.charCodeAt(0);
    if (path !== '' && (withProtocol || c === 47 || c === 42))
      return { method: methodName(raw, first), path: ownText(unescapeLogText(path)) };
  }
  return { method: '', path: raw };
}

const versions = new Set(['1.1', '1.0', '2.0', '2', '3.0', '3', '0.9']);

/** Method names seen in most lines, so that no string is cut for them. */
function methodName(raw: string, end: number): string {
  if (end === 3 && raw.startsWith('GET')) return 'GET';
  if (end === 4 && raw.startsWith('POST')) return 'POST';
  if (end === 4 && raw.startsWith('HEAD')) return 'HEAD';
  return raw.slice(0, end).toUpperCase();
}

function isMethod(s: string, end: number): boolean {
  for (let i = 0; i < end; i++) {
    const c = s.charCodeAt(i);
    const letter = (c | 32) >= 97 && (c | 32) <= 122;
    if (!letter && c !== 45 && c !== 95) return false;
  }
  return true;
}

/** Undoes what Apache and NGINX escape in quoted fields: `\"`, `\\`, `\t`, `\n`, `\xHH`. */
export function unescapeLogText(s: string): string {
  if (!s.includes('\\')) return s;
  return s.replace(/\\(?:x([0-9a-fA-F]{2})|(["\\tnr]))/g, (_, hex: string | undefined, plain: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return plain === 't' ? '\t' : plain === 'n' ? '\n' : plain === 'r' ? '\r' : (plain ?? '');
  });
}
