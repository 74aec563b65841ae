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
  sendField(lists, index, api, Key.address, u32, base + F.address);
  const agentLo = u32[base + F.userAgent] as number;
  const agentHi = u32[base + F.userAgent + 1] as number;
  if (agentLo | agentHi) {
    // One machine behind an address: mixing is not keyed, but both halves are pseudonyms already.
    mixKey(u32[base + F.address] as number, u32[base + F.address + 1] as number, agentLo, agentHi);
    mixKey(mixed.lo, mixed.hi, stableShape(u32[base + F.headerShape] as number), 0);
    send(lists, index, api, Key.client, mixed.lo, mixed.hi);
  }
  // An identity that nobody verified gathers no blame and no history.
  if (flags & Flag.userVerified) sendField(lists, index, api, Key.user, u32, base + F.user);
  if (flags & Flag.appVerified) sendField(lists, index, api, Key.app, u32, base + F.app);
  if (flags & Flag.tokenVerified) sendField(lists, index, api, Key.token, u32, base + F.token);
  if (flags & Flag.sessionVerified) sendField(lists, index, api, Key.session, u32, base + F.session);
  sendField(lists, index, api, Key.object, u32, base + F.object);
  const flow = ((u32[base + F.kinds] as number) >>> 8) & 0xff;
  if (flow === FlowType.LOGIN || flow === FlowType.PASSWORD_RESET) {
    sendField(lists, index, api, Key.account, u32, base + F.account);
    sendField(lists, index, api, Key.network, u32, base + F.network);
    for (const set of traitSets)
      if (traitKey(u32, base, set)) send(lists, index, api, Key.trait | (set << KIND_BITS), mixed.lo, mixed.hi);
  }
}

// Plain functions: closures over the record were 280 bytes of garbage for each.

function send(lists: readonly UpdateList[], index: number, api: number, code: number, lo: number, hi: number): void {
  mixKey(lo, hi, api, code);
  (lists[partitionOf(mixed.lo)] as UpdateList).push(index, code, lo, hi, mixed.lo, mixed.hi);
}

function sendField(
  lists: readonly UpdateList[],
  index: number,
  api: number,
  code: number,
  u32: Uint32Array,
  at: number,
): void {
  const lo = u32[at] as number;
  const hi = u32[at + 1] as number;
  if (lo | hi) send(lists, index, api, code, lo, hi);
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
  mixed.lo = set;
  mixed.hi = 0;
  if (set & Trait.userAgent && !addTrait(set, u32[base + F.userAgent] as number, u32[base + F.userAgent + 1] as number))
    return false;
  if (set & Trait.ja4 && !addTrait(set, u32[base + F.ja4] as number, u32[base + F.ja4 + 1] as number)) return false;
  // A shape is known only where the feed reports on such headers (high half); a log with referers alone tells none.
  const shape = stableShape(u32[base + F.headerShape] as number);
  if (set & Trait.headerShape && (shape >>> 16 === 0 || !addTrait(set, shape, 1))) return false;
  if (set & Trait.network && !addTrait(set, u32[base + F.network] as number, u32[base + F.network + 1] as number))
    return false;
  return !(set & Trait.asn) || addTrait(set, u32[base + F.asn] as number, 0);
}

/** Mixes one more value into `mixed`; false when there is none. */
function addTrait(set: number, lo: number, hi: number): boolean {
  if ((lo | hi) === 0) return false;
  mixKey(mixed.lo ^ lo, mixed.hi ^ hi, set, 0x51ed);
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
