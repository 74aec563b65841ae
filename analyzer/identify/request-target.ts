/** The request target taken apart once, and all that depends on it alone; cached per text by the identifier. */
import { Signal } from '../observation.ts';
import { isIdentifier } from '../operations/segment.ts';
import type { Route } from './route.ts';
import type { SipKey } from './siphash.ts';
import { digest, siphash } from './siphash.ts';
import { isTriedName, readSignals } from './signals.ts';

/** Longest target kept; a longer one is cut and marked malformed. */
const maxLength = 8192;

const assets =
  /\.(?:css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|tiff?|woff2?|ttf|otf|eot|mp4|webm|ogg|mp3|m4a|wav|wasm|cur|ts|m4s|m3u8|mpd|aac|vtt|pbf|mvt|deb|rpm|apk|tgz|whl|jar|pom|nupkg|gem|crate)$/i;
/** Map servers put the picture into the query. */
const pictureQuery = /(?:^|&)(?:request=get(?:map|tile)|format=image(?:\/|%2f))/i;

/** What browsers, phones, crawlers and ad exchanges look for on every site, there or not: nobody chose to ask. */
const conventions =
  /^\/(?:favicon[^/]*|apple-touch-icon[^/]*|apple-app-site-association|robots\.txt|humans\.txt|ads\.txt|app-ads\.txt|sellers\.json|security\.txt|sitemap[\w.-]*\.xml(?:\.gz)?|browserconfig\.xml|crossdomain\.xml|clientaccesspolicy\.xml|wpad\.dat|manifest\.(?:json|webmanifest)|site\.webmanifest|(?:firebase-messaging-)?(?:sw|service-worker)\.js|asset-manifest\.json|\.well-known\/[\w./-]*)$/i;

/** A point in time in the query (seconds, milliseconds, ISO 8601) says when something is asked for, not what. */
const instants =
  /(?:^|&)(?![^=&]*(?:id|key|n[or]|number|code|sku|ean)=)[^=&]{1,40}=(?:1\d{9}(?:\d{3})?(?:\.\d{1,9})?|20\d\d-\d\d-\d\dt[^&]{2,40})(?=&|$)/gi;
const mayHoldInstant = /=(?:1\d{9}|20\d\d-)/;

/** A parameter that names a record; what names sessions, programs, clicks and parts of a site does not. */
const recordParameter =
  /(?:^|&)(?!(?:s|t|c|g|fb|ms|yc|dc|tw)(?:cl)?id=|[^=&]*(?:session|client|app|device|track|click|campaign|request|trace|correlation|visitor|page|category|cat|lang|theme|parent|section|forum|tab)[_-]?id=)((?:[\w.-]{0,24}[_-])?(?:id|uid|uuid|guid|oid|account|invoice|order|customer|user|patient|record|document|doc|ticket|(?:invoice|order|account|customer)[_-]?(?:no|nr|number))|[a-z]{2,20}Id)=([^&]{1,64})/;

export interface RequestTarget {
  /** Without query, as sent; "/" when empty. */
  path: string;
  /** Without "?"; "" when none. */
  query: string;
  pathLo: number;
  pathHi: number;
  /** Of path and query, without points in time: an open page that asks for news reads one thing, again and again. */
  targetLo: number;
  targetHi: number;
  /** An identifier stands in the path, and it names no file; or a package manager asks so: somebody looks something up. */
  recordPath: boolean;
  /** Parameter of the query that names a record, and the id; "" when none. */
  parameter: string;
  parameterId: string;
  /** A name that scanners ask every site for. */
  triedName: boolean;
  /** `Signal` bits: whatever the answer, and only when the request was refused. */
  signals: number;
  signalsWhenRefused: number;
  /** A picture, script, segment or package, or a file that programs look for by convention. */
  staticAsset: boolean;
  /** Where it led last. */
  route: Route | undefined;
}

/**
 * @param authority host the request named elsewhere; an absolute target for another host asks for a proxy.
 */
export function readRequestTarget(method: string, raw: string, authority: string, key: SipKey): RequestTarget {
  let text = raw.length > maxLength ? raw.slice(0, maxLength) : raw;
  let signals = raw.length > maxLength ? Signal.malformedRequest : 0;
  if (method === 'CONNECT') signals |= Signal.openProxy;
  const scheme = /^https?:\/\//i.exec(text);
  if (scheme) {
    const end = text.slice(scheme[0].length).search(/[/?]/);
    const host = end < 0 ? text.slice(scheme[0].length) : text.slice(scheme[0].length, scheme[0].length + end);
    if (authority === '' || hostOnly(host) !== hostOnly(authority)) signals |= Signal.openProxy;
    text = end < 0 ? '/' : text.slice(scheme[0].length + end);
    if (text.charCodeAt(0) === 63) text = `/${text}`;
  }
  const fragment = text.indexOf('#');
  const whole = fragment < 0 ? text : text.slice(0, fragment);
  const question = whole.indexOf('?');
  const path = (question < 0 ? whole : whole.slice(0, question)) || '/';
  const query = question < 0 ? '' : whole.slice(question + 1);
  const content = readSignals(method, text);
  const named = query === '' ? null : recordParameter.exec(query);
  const parameterId = named !== null && isIdentifier(named[2] as string) ? (named[2] as string) : '';
  siphash(key, path);
  const pathLo = digest.lo;
  const pathHi = digest.hi;
  const asked = mayHoldInstant.test(query) ? query.replace(instants, '') : query;
  if (asked !== '') siphash(key, asked === query ? whole : `${path}?${asked}`);
  return {
    path,
    query,
    pathLo,
    pathHi,
    targetLo: digest.lo,
    targetHi: digest.hi,
    signals: signals | content.always,
    recordPath: namesRecord(path),
    parameter: parameterId === '' ? '' : ((named as RegExpExecArray)[1] as string),
    parameterId,
    triedName: path.length <= 160 && isTriedName(path.toLowerCase()),
    signalsWhenRefused: content.whenRefused,
    staticAsset: assets.test(path) || conventions.test(path) || pictureQuery.test(query),
    route: undefined,
  };
}

/** What package managers and container runtimes look up by name, there or not: modules, versions, manifests, indexes. */
const packages =
  /\/@v\/|\/@latest$|\/(?:maven-metadata\.xml|by-hash\/|-\/package\/)|\.(?:module|pom|jar|aar|deb|rpm|whl|tgz|nupkg|gem|crate)(?:\.(?:asc|md5|sha\d{1,3}))$|^\/v2\/.{1,200}\/(?:manifests|blobs|tags)\/|\/simple\/[\w.-]{1,80}\/?$|\/sumdb\//;

function namesRecord(path: string): boolean {
  if (packages.test(path)) return true;
  const segments = path.split('/', 24);
  return !(segments.at(-1) as string).includes('.') && segments.some(isIdentifier);
}

function hostOnly(authority: string): string {
  return authority.replace(/:\d*$/, '').toLowerCase();
}

/** Value of a query parameter, decoded; "" when absent. Never throws. */
export function queryValue(query: string, name: string): string {
  let from = 0;
  while (from <= query.length) {
    let end = query.indexOf('&', from);
    if (end < 0) end = query.length;
    if (query.startsWith(name, from) && query.charCodeAt(from + name.length) === 61) {
      return decodeComponent(query.slice(from + name.length + 1, end));
    }
    from = end + 1;
  }
  return '';
}

function decodeComponent(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
