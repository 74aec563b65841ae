/**
 * Messages that access log entries are made of and that are read into a value of their own: addresses, times,
 * certificates. Each may come in several pieces, which merge.
 */
import type { StringCache } from './string-cache.ts';
import { readExtent, readInt64, readTag, readVarint32, skipField, type WireReader } from './wire-reader.ts';

/** `envoy.config.core.v3.Address`, a oneof of socket address, pipe and internal listener. */
export interface WireAddress {
  kind: number;
  text: string;
}

const AddressKind = { none: 0, socket: 1, pipe: 2, internal: 3 } as const;

export function createWireAddress(): WireAddress {
  return { kind: AddressKind.none, text: '' };
}

export function clearAddress(address: WireAddress): void {
  address.kind = AddressKind.none;
  address.text = '';
}

/** IP text as Envoy wrote it, `unix:<path>` for a pipe, "" for internal listeners and absent addresses. */
export function addressText({ kind, text }: WireAddress): string {
  return kind === AddressKind.pipe && text !== '' ? `unix:${text}` : text;
}

export function readAddress(r: WireReader, end: number, into: WireAddress, strings: StringCache): void {
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a) {
      skipField(r, tag, end);
      continue;
    }
    const kind = tag >>> 3;
    if (into.kind !== kind) into.text = '';
    into.kind = kind;
    const addressEnd = readExtent(r, end);
    // SocketAddress.address = 2, Pipe.path = 1.
    const textTag = kind === AddressKind.socket ? 0x12 : kind === AddressKind.pipe ? 0x0a : -1;
    while (r.pos < addressEnd) {
      const fieldTag = readTag(r, addressEnd);
      if (fieldTag === textTag) into.text = strings.read(r, readExtent(r, addressEnd));
      else skipField(r, fieldTag, addressEnd);
    }
  }
}

/** `google.protobuf.Timestamp` or `Duration`: seconds and nanoseconds; the seconds are NaN while absent. */
export type WireTime = Float64Array;

export function createWireTime(): WireTime {
  return new Float64Array([Number.NaN, 0]);
}

export function clearTime(time: WireTime): void {
  time[0] = Number.NaN;
}

export function readTime(r: WireReader, end: number, into: WireTime): void {
  if (Number.isNaN(into[0])) into[0] = into[1] = 0;
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag === 0x08) into[0] = readInt64(r, end);
    else if (tag === 0x10) into[1] = readVarint32(r, end) | 0;
    else skipField(r, tag, end);
  }
}

/** NaN while absent. */
export function milliseconds(time: WireTime): number {
  return (time[0] as number) * 1000 + (time[1] as number) / 1e6;
}

/** NaN when absent, or negative as after a step of the clock. */
export function durationOf(time: WireTime): number {
  const duration = milliseconds(time);
  return duration >= 0 ? duration : Number.NaN;
}

/** The names in a `TLSProperties.CertificateProperties`; several of a sort stand with commas between them. */
export interface WireCertificate {
  uri: string;
  dns: string;
  subject: string;
}

export function createWireCertificate(): WireCertificate {
  return { uri: '', dns: '', subject: '' };
}

export function clearCertificate(certificate: WireCertificate): void {
  certificate.uri = certificate.dns = certificate.subject = '';
}

/**
 * What the holder is called by, as Envoy writes it where it looks for a match: its URIs (a SPIFFE id is one), else its
 * subject. Envoy 1.40 logs no DNS names.
 */
export function certificateName({ uri, dns, subject }: WireCertificate): string {
  return uri || subject || dns;
}

export function readCertificate(r: WireReader, end: number, into: WireCertificate, strings: StringCache): void {
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag === 0x0a) readAlternativeName(r, readExtent(r, end), into, strings);
    else if (tag === 0x12) into.subject = strings.read(r, readExtent(r, end));
    else skipField(r, tag, end);
  }
}

/** SubjectAltName, a oneof of URI and DNS name. */
function readAlternativeName(r: WireReader, end: number, into: WireCertificate, strings: StringCache): void {
  let nameTag = 0;
  let name = '';
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag === 0x0a || tag === 0x12) {
      name = strings.read(r, readExtent(r, end));
      nameTag = tag;
    } else skipField(r, tag, end);
  }
  if (name === '') return;
  if (nameTag === 0x12) into.dns = into.dns === '' ? name : `${into.dns},${name}`;
  else into.uri = into.uri === '' ? name : `${into.uri},${name}`;
}
