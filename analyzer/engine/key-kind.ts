/**
 * Kinds of keys that state hangs off. 1 to 9 are the principal kinds of the API; the rest exist only inside the
 * analyzer. Part of the state format: never renumber.
 */
export const Key = {
  user: 1,
  app: 2,
  token: 3,
  session: 4,
  device: 5,
  address: 6,
  network: 7,
  workload: 8,
  campaign: 9,
  /** An address with a user agent and the headers it always sends: one of the programs behind a shared address. */
  client: 10,
  /** The account a login names, whoever tries. */
  account: 11,
  /** Something an object rule names. */
  object: 12,
  /** What logins have in common; which traits is in the bits above `KIND_BITS`. */
  trait: 13,
} as const;

/** A key code is a kind in the low four bits and, for traits, a `TraitSet` above them. */
export const KIND_BITS = 4;
export const KIND_COUNT = 1 << KIND_BITS;

/** What a campaign may have in common. Bits, so that conjunctions are sets. */
export const Trait = { userAgent: 1, ja4: 2, headerShape: 4, network: 8, asn: 16 } as const;

/** The conjunctions that are watched: single traits, and the pairs that separate tools from the crowd they imitate. */
export const traitSets: readonly number[] = [
  Trait.userAgent,
  Trait.ja4,
  Trait.headerShape,
  Trait.network,
  Trait.asn,
  Trait.userAgent | Trait.headerShape,
  Trait.userAgent | Trait.network,
  Trait.userAgent | Trait.ja4,
  Trait.headerShape | Trait.network,
  Trait.headerShape | Trait.asn,
  Trait.userAgent | Trait.headerShape | Trait.network,
];
