/**
 * Identities that belong together, read from accepted observations, so that a replay of stored rows finds the same.
 *
 * An **owner** is the account that a successful login names, or a user that Envoy vouched for. A **credential** is the
 * session or token that such a login handed out, or that a vouched user came with. What was seen with an owner is never
 * taken from its word alone: failed logins, users nobody verified and addresses link nothing.
 *
 * An owner has **homes**: places (network and program) from where it has got credentials for longer than a day. They tell
 * the rightful owner from somebody who came by the password; see `kinship.ts`.
 */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { stableShape } from '../engine/fan-out.ts';
import { Key } from '../engine/key-kind.ts';
import { F, Flag, Outcome } from '../observation.ts';
import { fold, hex16, mixed, mixKey } from '../profile/hash.ts';
import { SLAB_HEADER, Slab, type SlabState } from '../profile/slab.ts';
import type { CampaignTrait } from '../verdict.ts';

/** A pseudonym with the kind of its key. */
export interface Identity {
  kind: number;
  lo: number;
  hi: number;
}

/** A credential that an owner was seen to get. */
export interface Birth extends Identity {
  /** Event time, Unix ms, and sequence number of the request that showed it. */
  at: number;
  seq: number;
  /** Pseudonym of the address and what the request had in common with others, where a login handed it out. */
  login: { address: string; traits: CampaignTrait[] } | undefined;
}

/** What is known of a credential: places, and event time in Unix ms. */
export interface Origin {
  bornIn: number;
  bornAt: number;
  /** Where it was used last, and whether an exemption covered that. */
  place: number;
  exempt: boolean;
}

export interface IdentityLinksState {
  owners: SlabState;
  credentials: SlabState;
  births: Birth[];
}

const homes = 4;
const heldCredentials = 8;
const homeWords = 4;
const heldWords = 3;

/** Word offsets of an owner. */
const O = {
  kind: SLAB_HEADER,
  lo: SLAB_HEADER + 1,
  hi: SLAB_HEADER + 2,
  /** Where it was last seen with a credential. */
  place: SLAB_HEADER + 3,
  /** Each: place, first seen and last seen in whole seconds, how many credentials from there came to blame. */
  homes: SLAB_HEADER + 4,
  /** The latest, each: kind, low, high. */
  held: SLAB_HEADER + 4 + homes * homeWords,
  next: SLAB_HEADER + 4 + homes * homeWords + heldCredentials * heldWords,
} as const;
const ownerWords = (O.next + 2) & ~1;

/** Word offsets of a credential. */
const C = {
  account: SLAB_HEADER,
  user: SLAB_HEADER + 2,
  /** Place and whole second in which it was first seen with an owner. */
  bornIn: SLAB_HEADER + 4,
  bornAt: SLAB_HEADER + 5,
  /** Where it was last used. */
  place: SLAB_HEADER + 6,
  /** Several users come with it: it is nobody's in particular. */
  shared: SLAB_HEADER + 7,
  blamed: SLAB_HEADER + 8,
  /** An exemption covered its last request. */
  exempt: SLAB_HEADER + 9,
} as const;
const credentialWords = (C.exempt + 2) & ~1;

const maxOwners = 65_536;
const maxCredentials = 131_072;
/** Logins remembered for a source that comes under suspicion after them. */
const maxBirths = 2048;
const daySeconds = 86_400;
/** A session that no login handed out is believed to be a user's: this long at least lie between as many as an owner keeps. */
const madeUpSeconds = 3600;
/** A home that was not used for so long gives its place to a newer one. */
const deserted = 30 * daySeconds;

/** The identities of one API. */
export class IdentityLinks {
  readonly #owners = new Slab({ words: ownerWords, maxSlots: maxOwners });
  readonly #credentials = new Slab({ words: credentialWords, maxSlots: maxCredentials });
  /** The latest logins, oldest first. */
  #births: Birth[] = [];
  #fresh: Birth[] = [];

  /** Takes in an observation that reached the application. Measured: 0.35 µs for one with user, session and token. */
  read(u32: Uint32Array, f64: Float64Array, base: number): void {
    const flags = u32[base + F.flags] as number;
    if (flags & Flag.refusedByPicket) return;
    const kinds = u32[base + F.kinds] as number;
    const isLogin = ((kinds >>> 8) & 255) === FlowType.LOGIN;
    const credentials = flags & (Flag.sessionVerified | Flag.tokenVerified);
    if (credentials === 0) return;
    if (isLogin && ((kinds >>> 16) & 255) !== Outcome.success) return;
    const place = placeOf(u32, base);
    if (flags & Flag.sessionVerified) this.#see(Key.session, F.session, u32, f64, base, place, isLogin);
    // What a login was sent with is the program's token; only what it handed out is the account's.
    if (flags & Flag.tokenVerified) {
      const issued = isLogin && (flags & Flag.tokenIssued) !== 0;
      this.#see(Key.token, F.token, u32, f64, base, place, issued);
    }
  }

  get hasBirths(): boolean {
    return this.#fresh.length > 0;
  }

  /** Credentials that got their first owner, or another one, since the last call. */
  takeBirths(): Birth[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  /** The latest logins that handed out a credential, oldest first. */
  logins(): readonly Birth[] {
    return this.#births;
  }

  ownersOf(kind: number, lo: number, hi: number): Identity[] {
    const base = this.#findCredential(kind, lo, hi);
    const { u32 } = this.#credentials;
    if (base < 0 || u32[base + C.shared] === 1) return [];
    const owners: Identity[] = [];
    const add = (owner: number, at: number): void => {
      const [a, b] = [u32[base + at] as number, u32[base + at + 1] as number];
      if ((a | b) !== 0) owners.push({ kind: owner, lo: a, hi: b });
    };
    add(Key.account, C.account);
    add(Key.user, C.user);
    return owners;
  }

  /** The latest credentials of an owner that are its own. */
  heldBy(owner: Identity): Identity[] {
    const base = this.#findOwner(owner);
    if (base < 0) return [];
    const { u32 } = this.#owners;
    const held: Identity[] = [];
    for (let i = 0; i < heldCredentials; i++) {
      const at = base + O.held + i * heldWords;
      const kind = u32[at] as number;
      if (kind === 0) continue;
      const credential = { kind, lo: u32[at + 1] as number, hi: u32[at + 2] as number };
      const slot = this.#findCredential(kind, credential.lo, credential.hi);
      if (slot >= 0 && this.#credentials.u32[slot + C.shared] !== 1) held.push(credential);
    }
    return held;
  }

  origin({ kind, lo, hi }: Identity): Origin | undefined {
    const base = this.#findCredential(kind, lo, hi);
    if (base < 0) return undefined;
    const { u32 } = this.#credentials;
    return {
      bornIn: u32[base + C.bornIn] as number,
      bornAt: (u32[base + C.bornAt] as number) * 1000,
      place: u32[base + C.place] as number,
      exempt: u32[base + C.exempt] === 1,
    };
  }

  /** Where an owner was last seen with a credential; 0 = not known. */
  lastPlace(owner: Identity): number {
    const base = this.#findOwner(owner);
    return base < 0 ? 0 : (this.#owners.u32[base + O.place] as number);
  }

  /** The owner had got credentials from there for a day when it was `at`, and but one of them came to blame. */
  isHome(owner: Identity, place: number, at: number): boolean {
    const base = this.#findOwner(owner);
    if (base < 0) return false;
    const { u32 } = this.#owners;
    const home = this.#home(base, place);
    return home >= 0 && (u32[home + 1] as number) <= at / 1000 - daySeconds && (u32[home + 3] as number) < 2;
  }

  /** Counts, once, that a credential came to blame: a home from where several did is none. */
  blame({ kind, lo, hi }: Identity): void {
    const base = this.#findCredential(kind, lo, hi);
    if (base < 0 || this.#credentials.u32[base + C.blamed] === 1) return;
    this.#credentials.u32[base + C.blamed] = 1;
    const bornIn = this.#credentials.u32[base + C.bornIn] as number;
    for (const owner of this.ownersOf(kind, lo, hi)) {
      const slot = this.#findOwner(owner);
      if (slot < 0) continue;
      if (!this.heldBy(owner).some((held) => held.kind === kind && held.lo === lo && held.hi === hi))
        this.#keep(slot, { kind, lo, hi });
      const home = this.#home(slot, bornIn);
      if (home >= 0) this.#owners.u32[home + 3] = (this.#owners.u32[home + 3] as number) + 1;
    }
  }

  save(): IdentityLinksState {
    return { owners: this.#owners.save(), credentials: this.#credentials.save(), births: [...this.#births] };
  }

  load(state: IdentityLinksState): void {
    this.#owners.load(state.owners);
    this.#credentials.load(state.credentials);
    this.#births = [...state.births];
  }

  #see(
    kind: number,
    field: number,
    u32: Uint32Array,
    f64: Float64Array,
    record: number,
    place: number,
    issued: boolean,
  ): void {
    const lo = u32[record + field] as number;
    const hi = u32[record + field + 1] as number;
    if ((lo | hi) === 0) return;
    const flags = u32[record + F.flags] as number;
    const at = f64[(record + F.eventAt) >> 1] as number;
    const account = issued ? F.account : 0;
    const user = flags & Flag.userVerified ? F.user : 0;
    mixKey(lo, hi, kind, 0);
    const slab = this.#credentials;
    const { lo: keyLo, hi: keyHi } = mixed;
    let base = slab.find(keyLo, keyHi);
    const owned = (offset: number): boolean =>
      offset !== 0 && ((u32[record + offset] as number) | (u32[record + offset + 1] as number)) !== 0;
    if (base < 0 && !issued) {
      if (!owned(user)) return;
      const by = { kind: Key.user, lo: u32[record + user] as number, hi: u32[record + user + 1] as number };
      if (kind === Key.session && this.#invents(by, (at / 1000) >>> 0)) return;
    }
    base = slab.obtain(keyLo, keyHi, (at / 1000) >>> 0);
    if (slab.created) {
      slab.u32[base + C.bornIn] = place;
      slab.u32[base + C.bornAt] = (at / 1000) >>> 0;
    }
    slab.u32[base + C.place] = place;
    slab.u32[base + C.exempt] = flags & Flag.exempt ? 1 : 0;
    const credential = { kind, lo, hi };
    let born = slab.created && issued;
    if (owned(account))
      born = this.#bind(base, C.account, Key.account, account, u32, record, credential, at, place) || born;
    if (owned(user)) born = this.#bind(base, C.user, Key.user, user, u32, record, credential, at, place) || born;
    if (!born) return;
    const login = issued ? { address: word(u32, record, F.address), traits: traitsOf(u32, record) } : undefined;
    const birth: Birth = { ...credential, at, seq: f64[(record + F.seq) >> 1] as number, login };
    this.#fresh.push(birth);
    if (!login) return;
    this.#births.push(birth);
    if (this.#births.length >= 2 * maxBirths) this.#births = this.#births.slice(-maxBirths);
  }

  /** Gives the credential its owner; true when that is news. The first account stays: a planted session is not the victim's. */
  #bind(
    base: number,
    slot: number,
    kind: number,
    field: number,
    u32: Uint32Array,
    record: number,
    credential: Identity,
    at: number,
    place: number,
  ): boolean {
    const slab = this.#credentials;
    const lo = u32[record + field] as number;
    const hi = u32[record + field + 1] as number;
    const owner = { kind, lo, hi };
    const known = ((slab.u32[base + slot] as number) | (slab.u32[base + slot + 1] as number)) !== 0;
    if (known) {
      const same = slab.u32[base + slot] === lo && slab.u32[base + slot + 1] === hi;
      if (!same && kind === Key.user) slab.u32[base + C.shared] = 1;
      const found = same ? this.#findOwner(owner) : -1;
      if (found >= 0) this.#owners.u32[found + O.place] = place;
      return false;
    }
    // An owner of another kind belongs to it where it was born: elsewhere somebody may have been made to carry it.
    const other = slot === C.user ? C.account : C.user;
    const hasOther = ((slab.u32[base + other] as number) | (slab.u32[base + other + 1] as number)) !== 0;
    if (hasOther && slab.u32[base + C.bornIn] !== place) return false;
    slab.u32[base + slot] = lo;
    slab.u32[base + slot + 1] = hi;
    this.#hold(owner, credential, (at / 1000) >>> 0, place);
    return true;
  }

  #hold(owner: Identity, credential: Identity, seconds: number, place: number): void {
    mixKey(owner.lo, owner.hi, owner.kind, 1);
    const slab = this.#owners;
    const base = slab.obtain(mixed.lo, mixed.hi, seconds);
    const { u32 } = slab;
    u32[base + O.kind] = owner.kind;
    u32[base + O.lo] = owner.lo;
    u32[base + O.hi] = owner.hi;
    u32[base + O.place] = place;
    this.#keep(base, credential);
    const home = this.#home(base, place);
    if (home >= 0) u32[home + 2] = seconds;
    else this.#settle(base, place, seconds);
  }

  /**
   * The next to make room is young: nobody opens sessions that fast, but anybody can send cookies of their own making,
   * and those must not push everybody else's credentials out.
   */
  #invents(owner: Identity, seconds: number): boolean {
    const base = this.#findOwner(owner);
    if (base < 0) return false;
    const { u32 } = this.#owners;
    const at = base + O.held + (u32[base + O.next] as number) * heldWords;
    const oldest = this.#findCredential(u32[at] as number, u32[at + 1] as number, u32[at + 2] as number);
    return oldest >= 0 && (this.#credentials.u32[oldest + C.bornAt] as number) + madeUpSeconds > seconds;
  }

  /** The oldest makes room, but none that came to blame: many logins must not make it be forgotten. */
  #keep(base: number, credential: Identity): void {
    const { u32 } = this.#owners;
    const slot = (i: number): number => base + O.held + (i % heldCredentials) * heldWords;
    const at = (i: number): Identity => ({
      kind: u32[slot(i)] as number,
      lo: u32[slot(i) + 1] as number,
      hi: u32[slot(i) + 2] as number,
    });
    const next = u32[base + O.next] as number;
    let into = next;
    for (let i = next; i < next + heldCredentials; i++) {
      const { kind, lo, hi } = at(i);
      const found = kind === 0 ? -1 : this.#findCredential(kind, lo, hi);
      if (found >= 0 && this.#credentials.u32[found + C.blamed] === 1) continue;
      into = i;
      break;
    }
    u32[slot(into)] = credential.kind;
    u32[slot(into) + 1] = credential.lo;
    u32[slot(into) + 2] = credential.hi;
    u32[base + O.next] = (into + 1) % heldCredentials;
  }

  /** A new place takes a free home, a deserted one, or that of the youngest while it is younger than a day: old homes stay. */
  #settle(base: number, place: number, seconds: number): void {
    const { u32 } = this.#owners;
    let into = -1;
    for (let i = 0; i < homes; i++) {
      const home = base + O.homes + i * homeWords;
      const free = u32[home] === 0 || (u32[home + 2] as number) + deserted < seconds;
      if (free) {
        into = home;
        break;
      }
      const young = (u32[home + 1] as number) + daySeconds > seconds;
      if (young && (into < 0 || (u32[home + 1] as number) > (u32[into + 1] as number))) into = home;
    }
    if (into < 0) return;
    u32[into] = place;
    u32[into + 1] = seconds;
    u32[into + 2] = seconds;
    u32[into + 3] = 0;
  }

  #home(base: number, place: number): number {
    const { u32 } = this.#owners;
    for (let i = 0; i < homes; i++) {
      const home = base + O.homes + i * homeWords;
      if (u32[home] === place) return home;
    }
    return -1;
  }

  #findOwner({ kind, lo, hi }: Identity): number {
    mixKey(lo, hi, kind, 1);
    return this.#owners.find(mixed.lo, mixed.hi);
  }

  #findCredential(kind: number, lo: number, hi: number): number {
    mixKey(lo, hi, kind, 0);
    return this.#credentials.find(mixed.lo, mixed.hi);
  }
}

/** Network and program of a request. Never 0. */
function placeOf(u32: Uint32Array, base: number): number {
  const agent = [u32[base + F.userAgent] as number, u32[base + F.userAgent + 1] as number] as const;
  const [lo, hi] = [u32[base + F.network] as number, u32[base + F.network + 1] as number];
  if ((lo | hi) !== 0) return mixPlace(lo, hi, ...agent);
  return mixPlace(u32[base + F.address] as number, u32[base + F.address + 1] as number, ...agent);
}

/** The place that a sighting's traits name; undefined when they name none. */
export function placeIn(traits: readonly CampaignTrait[]): number | undefined {
  const value = (trait: CampaignTrait['trait']): string => traits.find((t) => t.trait === trait)?.value ?? '';
  const [network, agent] = [value('network'), value('userAgent')];
  if (network === '' || /^0*$/.test(network) || agent === '') return undefined;
  const half = (hex: string, from: number): number => Number.parseInt(hex.slice(from, from + 8), 16);
  return mixPlace(half(network, 8), half(network, 0), half(agent, 8), half(agent, 0));
}

function mixPlace(lo: number, hi: number, agentLo: number, agentHi: number): number {
  mixKey(lo, hi, agentLo, agentHi);
  return fold(mixed.lo, mixed.hi);
}

function word(u32: Uint32Array, base: number, field: number): string {
  return hex16(u32[base + field] as number, u32[base + field + 1] as number);
}

/** All that a campaign may have in common with others, of one login. */
function traitsOf(u32: Uint32Array, base: number): CampaignTrait[] {
  return [
    { trait: 'userAgent', value: word(u32, base, F.userAgent) },
    { trait: 'ja4', value: word(u32, base, F.ja4) },
    {
      trait: 'headerShape',
      value: (stableShape(u32[base + F.headerShape] as number) >>> 0).toString(16).padStart(8, '0'),
    },
    { trait: 'network', value: word(u32, base, F.network) },
    { trait: 'asn', value: String(u32[base + F.asn]) },
  ];
}
