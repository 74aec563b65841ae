/**
 * First border of the engine: one observation becomes an update for each key it concerns, in the partition that owns
 * the key. Always 64 partitions, so that threads and replicas change nothing but speed.
 */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { F, Flag } from '../observation.ts';
import { mixed, mixKey } from '../profile/hash.ts';
import { Key, KIND_BITS, Trait, traitSets } from './key-kind.ts';

export const PARTITIONS = 64;

/** Words per update: record index, key code, raw value low, high, mixed key low, high. */
export const UPDATE_WORDS = 6;

/** Updates of one tick for one partition, in order of arrival. */
export class UpdateList {
  words = new Uint32Array(UPDATE_WORDS * 64);
  length = 0;

  push(index: number, code: number, lo: number, hi: number, keyLo: number, keyHi: number): void {
    const at = this.length * UPDATE_WORDS;
    if (at + UPDATE_WORDS > this.words.length) {
      const next = new Uint32Array(this.words.length * 2);
      next.set(this.words);
      this.words = next;
    }
    const words = this.words;
    words[at] = index;
    words[at + 1] = code;
    words[at + 2] = lo;
    words[at + 3] = hi;
    words[at + 4] = keyLo;
    words[at + 5] = keyHi;
    this.length++;
  }
}

/** Partition that owns a mixed key. */
export function partitionOf(keyLo: number): number {
  return keyLo >>> 26;
}

/** Adds the updates of record `index` to the lists of the partitions that own its keys. */
export function fanOut(u32: Uint32Array, base: number, index: number, lists: readonly UpdateList[]): void {
  const flags = u32[base + F.flags] as number;
  if (flags & Flag.refusedByPicket) return;
  const api = u32[base + F.api] as number;
  const send = (code: number, lo: number, hi: number): void => {
    mixKey(lo, hi, api, code);
    (lists[partitionOf(mixed.lo)] as UpdateList).push(index, code, lo, hi, mixed.lo, mixed.hi);
  };
  const each = (code: number, at: number): void => {
    const lo = u32[base + at] as number;
    const hi = u32[base + at + 1] as number;
    if (lo | hi) send(code, lo, hi);
  };
  each(Key.address, F.address);
  const agentLo = u32[base + F.userAgent] as number;
  const agentHi = u32[base + F.userAgent + 1] as number;
  if (agentLo | agentHi) {
    // One machine behind an address: mixing is not keyed, but both halves are pseudonyms already.
    mixKey(u32[base + F.address] as number, u32[base + F.address + 1] as number, agentLo, agentHi);
    mixKey(mixed.lo, mixed.hi, stableShape(u32[base + F.headerShape] as number), 0);
    send(Key.client, mixed.lo, mixed.hi);
  }
  // An identity that nobody verified gathers no blame and no history.
  if (flags & Flag.userVerified) each(Key.user, F.user);
  if (flags & Flag.appVerified) each(Key.app, F.app);
  if (flags & Flag.tokenVerified) each(Key.token, F.token);
  if (flags & Flag.sessionVerified) each(Key.session, F.session);
  each(Key.object, F.object);
  const flow = ((u32[base + F.kinds] as number) >>> 8) & 0xff;
  if (flow === FlowType.LOGIN || flow === FlowType.PASSWORD_RESET) {
    each(Key.account, F.account);
    each(Key.network, F.network);
    for (const set of traitSets) if (traitKey(u32, base, set)) send(Key.trait | (set << KIND_BITS), mixed.lo, mixed.hi);
  }
}

/**
 * Headers that a browser or a tool sends with every request or with none: accept, accept-language, accept-encoding,
 * sec-fetch-site, sec-ch-ua, dnt, te. Others (referer, cookie, content-type, …) depend on the request.
 */
const STABLE = 0b1010_0001_1000_0111;

/** The part of a header shape that tells one program from another, whatever it asks for. */
export function stableShape(shape: number): number {
  return shape & ((STABLE << 16) | STABLE);
}

/** Mixes the values of a trait set into `mixed`; false when the observation lacks one of them. */
export function traitKey(u32: Uint32Array, base: number, set: number): boolean {
  let lo = set;
  let hi = 0;
  const add = (a: number, b: number): boolean => {
    if ((a | b) === 0) return false;
    mixKey(lo ^ a, hi ^ b, set, 0x51ed);
    lo = mixed.lo;
    hi = mixed.hi;
    return true;
  };
  const word = (at: number): number => u32[base + at] as number;
  if (set & Trait.userAgent && !add(word(F.userAgent), word(F.userAgent + 1))) return false;
  if (set & Trait.ja4 && !add(word(F.ja4), word(F.ja4 + 1))) return false;
  // A shape is known only where the feed reports on such headers (high half); a log with referers alone tells none.
  const shape = stableShape(word(F.headerShape));
  if (set & Trait.headerShape && (shape >>> 16 === 0 || !add(shape, 1))) return false;
  if (set & Trait.network && !add(word(F.network), word(F.network + 1))) return false;
  if (set & Trait.asn && !add(word(F.asn), 0)) return false;
  mixed.lo = lo;
  mixed.hi = hi;
  return true;
}

/** Kind of principal that answers for a request: the strongest identity that is proved, else the machine. */
export function actorOf(u32: Uint32Array, base: number): number {
  const flags = u32[base + F.flags] as number;
  const has = (at: number): boolean => ((u32[base + at] as number) | (u32[base + at + 1] as number)) !== 0;
  if (flags & Flag.userVerified && has(F.user)) return Key.user;
  if (flags & Flag.sessionVerified && has(F.session)) return Key.session;
  if (flags & Flag.tokenVerified && has(F.token)) return Key.token;
  if (flags & Flag.appVerified && has(F.app)) return Key.app;
  return Key.address;
}

/** Word offset in a record of the value of an actor kind. */
export const actorField: Readonly<Record<number, number>> = {
  [Key.user]: F.user,
  [Key.session]: F.session,
  [Key.token]: F.token,
  [Key.app]: F.app,
  [Key.address]: F.address,
};
