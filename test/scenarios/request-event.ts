/** Vocabulary of the traffic model: who sends what, when, and what it really was. */
import type { ShopUser } from '../../examples/shop/seed-data.ts';

export const attackFamilies = [
  'credentialStuffing',
  'bruteForce',
  'passwordSpraying',
  'objectEnumeration',
  'scraping',
  'tokenAbuse',
  'probing',
  'excess',
] as const;
export type AttackFamily = (typeof attackFamilies)[number];

/** The ground truth of an actor. Detectors never see it. */
export type Label = 'benign' | AttackFamily;

/** What a client keeps between requests, as a browser's storage does. Filled by whoever sends the requests. */
export interface Jar {
  token: string;
  /** Cookies by name. */
  cookies: Map<string, string>;
}

export function createJar(): Jar {
  return { token: '', cookies: new Map() };
}

/** One program on one device: what its requests look like, whatever they ask for. */
export interface Client {
  /** Dotted IPv4 in 127.0.0.0/8, so that the live driver can bind it. */
  address: string;
  /** Headers of every request, lower case, `user-agent` included. */
  headers: Readonly<Record<string, string>>;
  jar: Jar;
}

/** Who acts: one person, one robot or one attacker. */
export interface Actor {
  id: string;
  label: Label;
  /** Kind of actor, for reports: "shopper", "support", "prefetcher", "stuffing". */
  persona: string;
  user?: ShopUser;
}

export interface RequestEvent {
  /** Start of the request, Unix milliseconds with fraction. */
  at: number;
  actor: Actor;
  client: Client;
  method: 'GET' | 'POST' | 'HEAD';
  /** With query. */
  path: string;
  /** JSON value. */
  body?: Readonly<Record<string, unknown>>;
  /** Sends the jar's token, when there is one. */
  authorized: boolean;
}

/** A source of events in order of time. */
export type EventStream = Iterator<RequestEvent>;

/** Start and end of a stretch of time, Unix milliseconds. */
export interface Window {
  from: number;
  until: number;
}
