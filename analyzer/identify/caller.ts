/** Where a request came from and with what: address, network, user agent, fingerprint, device. */
import type { AccessRecord } from '../ingest/access-record.ts';
import { F } from '../observation.ts';
import { address, addressText, networkText, parseAddress, parseIpv4 } from './address.ts';
import { createAddressCache } from './address-cache.ts';
import type { Escrow } from './escrow.ts';
import { createGenerationMap } from './generation-map.ts';
import { ValueKind } from './pseudonym.ts';
import { digest } from './siphash.ts';
import { readUserAgent, type UserAgentFacts } from './user-agent.ts';
import type { ValueHasher } from './value-hasher.ts';

export interface AddressFacts {
  lo: number;
  hi: number;
  networkLo: number;
  networkHi: number;
  family: 0 | 4 | 6;
  a: number;
  b: number;
  c: number;
  d: number;
  /** Generations of the escrow that hold the address and the network. */
  held: number;
  networkHeld: number;
}

const noAddress: AddressFacts = {
  lo: 0,
  hi: 0,
  networkLo: 0,
  networkHi: 0,
  family: 0,
  a: 0,
  b: 0,
  c: 0,
  d: 0,
  held: -1,
  networkHeld: -1,
};
const noUserAgent: UserAgentFacts = {
  lo: 0,
  hi: 0,
  declaredBot: false,
  library: false,
  knownTool: false,
  hostile: false,
  held: 0,
  deviceHeld: 0,
};

export interface CallerReader {
  /** Overwritten by the next call. */
  address(text: string, at: number): AddressFacts;
  userAgent(text: string, at: number): UserAgentFacts;
  /**
   * Fills fingerprint and device. A device is fingerprint (JA4, else JA3) and user agent; without a fingerprint it is
   * no more than a user agent, which thousands share: `F.ja4` tells. The header shape is left out, because one browser
   * sends several.
   */
  fillDevice(record: AccessRecord, agent: UserAgentFacts, u32: Uint32Array, base: number, at: number): void;
  /** Forgets what was hashed under other keys. */
  clear(): void;
}

export function createCallerReader(hasher: ValueHasher, escrow: Escrow): CallerReader {
  /** IPv4 by its number; everything else, host names included, by its text. */
  const plain = createAddressCache();
  const others = createGenerationMap<string, AddressFacts>(16_384, (key) => key.length);
  const userAgents = createGenerationMap<string, UserAgentFacts>(8192, (key) => key.length >> 2);

  function addressOf(text: string, at: number): AddressFacts {
    if (text === '') return noAddress;
    if (parseIpv4(text)) {
      const facts = plain.find(address.a) ?? plain.enter(readAddress(true, addressText(), at));
      keepAddress(facts, text);
      plain.held(facts);
      return facts;
    }
    let facts = others.get(text);
    if (!facts) {
      const parsed = parseAddress(text);
      const name = parsed ? addressText() : text.slice(0, 256).toLowerCase();
      facts = readAddress(parsed, name, at);
      // A part of a log line would keep the whole line alive.
      others.set(name === text ? name : text, facts);
    }
    keepAddress(facts, text);
    return facts;
  }

  /** Of the address parsed last, or of a name. */
  function readAddress(parsed: boolean, name: string, at: number): AddressFacts {
    const facts = { ...noAddress };
    if (parsed) Object.assign(facts, address);
    hasher.pseudonyms.hash(ValueKind.Address, name, at);
    facts.lo = digest.lo;
    facts.hi = digest.hi;
    if (parsed) {
      hasher.pseudonyms.hash(ValueKind.Network, networkText(), at);
      facts.networkLo = digest.lo;
      facts.networkHi = digest.hi;
    }
    return facts;
  }

  function keepAddress(facts: AddressFacts, text: string): void {
    if (facts.held !== escrow.generation(ValueKind.Address)) {
      restoreAddress(facts);
      const name = facts.family === 0 ? text.slice(0, 256).toLowerCase() : addressText();
      escrow.put(ValueKind.Address, facts.lo, facts.hi, name, true, 'value');
      facts.held = escrow.generation(ValueKind.Address);
    }
    if (facts.family !== 0 && facts.networkHeld !== escrow.generation(ValueKind.Network)) {
      restoreAddress(facts);
      escrow.put(ValueKind.Network, facts.networkLo, facts.networkHi, networkText(), true, 'value');
      facts.networkHeld = escrow.generation(ValueKind.Network);
    }
  }

  function userAgentOf(text: string, at: number): UserAgentFacts {
    if (text === '') return noUserAgent;
    const cut = text.length > 1024 ? text.slice(0, 1024) : text;
    let facts = userAgents.get(cut);
    if (!facts) {
      hasher.pseudonyms.hash(ValueKind.UserAgent, cut, at);
      facts = readUserAgent(cut, digest.lo, digest.hi);
      userAgents.set(cut, facts);
    }
    if (facts.held !== escrow.generation(ValueKind.UserAgent)) {
      escrow.put(ValueKind.UserAgent, facts.lo, facts.hi, cut, false, 'value');
      facts.held = escrow.generation(ValueKind.UserAgent);
    }
    return facts;
  }

  function fillDevice(record: AccessRecord, agent: UserAgentFacts, u32: Uint32Array, base: number, at: number): void {
    const fingerprint = record.ja4 !== '' ? record.ja4 : record.ja3;
    let lo = agent.lo;
    let hi = agent.hi;
    if (fingerprint !== '' && fingerprint.length <= 128) {
      hasher.hashOften(ValueKind.Ja4, fingerprint, at);
      if (record.ja4 !== '') {
        u32[base + F.ja4] = digest.lo;
        u32[base + F.ja4 + 1] = digest.hi;
        if (!hasher.marked(ValueKind.Ja4, escrow.generation(ValueKind.Ja4)))
          escrow.put(ValueKind.Ja4, digest.lo, digest.hi, record.ja4, false, 'value');
      }
      // Both are outputs of a keyed PRF, so their mix is one too.
      lo = (Math.imul(lo, 0x85ebca6b) ^ digest.lo) >>> 0;
      hi = (Math.imul(hi, 0xc2b2ae35) ^ digest.hi) >>> 0;
    }
    u32[base + F.device] = lo;
    u32[base + F.device + 1] = hi;
    if (escrow.retain !== 'all' || (lo | hi) === 0) return;
    const generation = escrow.generation(ValueKind.Device);
    if (fingerprint === '' && agent.deviceHeld === generation) return;
    if (!escrow.touch(ValueKind.Device, lo, hi))
      escrow.put(ValueKind.Device, lo, hi, `${fingerprint} ${record.userAgent.slice(0, 1024)}`.trim(), false, 'none');
    if (fingerprint === '') agent.deviceHeld = escrow.generation(ValueKind.Device);
  }

  return {
    address: addressOf,
    userAgent: userAgentOf,
    fillDevice,
    clear() {
      plain.clear();
      others.clear();
    },
  };
}

/** Puts a remembered address where prefix tables look. */
export function restoreAddress(facts: AddressFacts): void {
  address.family = facts.family;
  address.a = facts.a;
  address.b = facts.b;
  address.c = facts.c;
  address.d = facts.d;
}
