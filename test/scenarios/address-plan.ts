/**
 * Addresses of the model. All lie in 127.0.0.0/8 so that live traffic can really come from them; the second octet
 * stands for the kind of network a client is in, which nothing but this file knows.
 */
import type { Random } from './random.ts';

export interface AddressPlan {
  /** A household: one or a few people. */
  home(): string;
  /** A carrier's gateway: many phones behind each address. */
  carrier(): string;
  /** An office: everybody behind one address. */
  office(): string;
  /** A rented machine. */
  hosting(): string;
  /** Homes whose devices relay for others, for pay or unknowingly. */
  relay(): string;
}

export function createAddressPlan(random: Random): AddressPlan {
  // Which octets mean what changes with the seed; the ranges are disjoint.
  const second = random.sample(
    Array.from({ length: 250 }, (_, i) => i + 2),
    90,
  );
  const homes = second.slice(0, 40);
  const carriers = second.slice(40, 44);
  const offices = second.slice(44, 50);
  const hosting = second.slice(50, 56);
  const relays = second.slice(56, 86);
  const taken = new Set<string>(['127.0.0.1']);
  const fresh = (octets: readonly number[]): string => {
    for (;;) {
      const address = `127.${random.pick(octets)}.${random.whole(0, 255)}.${random.whole(1, 254)}`;
      if (taken.has(address)) continue;
      taken.add(address);
      return address;
    }
  };
  const carrierGates = Array.from({ length: 12 }, () => fresh(carriers));
  const officeGates = Array.from({ length: 8 }, () => fresh(offices));
  return {
    home: () => fresh(homes),
    carrier: () => random.pick(carrierGates),
    office: () => random.pick(officeGates),
    hosting: () => fresh(hosting),
    relay: () => fresh(relays),
  };
}
