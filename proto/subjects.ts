/**
 * Every NATS subject and bucket key Picket uses, built and parsed here only.
 *
 * A token is letters, digits, `-` and `_`; anything else in a name (dots of Kubernetes names, `~` of Istio's node ids)
 * travels as `=XX` per UTF-8 byte, which JetStream key-value buckets allow too. The encoding is one to one: a token
 * that no name encodes to is refused when parsed.
 */
import { PrincipalKind } from './gen/picket/policy/v1/policy_pb.js';

/** Key-value buckets. */
export const Bucket = { policy: 'picket_policy', decisions: 'picket_decisions', acks: 'picket_acks' } as const;

/** Second token after the version, of subjects that carry CloudEvents. */
export const eventKinds = ['verdict', 'finding', 'decision', 'policy', 'loss'] as const;
export type EventKind = (typeof eventKinds)[number];

/** Virtual partitions by key hash; how many processes own them never changes this number. */
const PARTITIONS = 64;
/** Encoded length; five of these stay below NATS' control line limit of 4,096 bytes. */
const MAX_TOKEN_LENGTH = 768;
const PREFIX = 'picket.v1';

/** A name that no subject can carry, or a subject or key that Picket did not build. */
export class SubjectError extends Error {
  override readonly name = 'SubjectError';
}

export interface ApiName {
  namespace: string;
  api: string;
}

/** Splits `<namespace>/<name>` as policies, verdicts and decisions name an API. @throws SubjectError */
export function parseApiName(api: string): ApiName {
  const [namespace, name, ...rest] = api.split('/');
  if (!namespace || !name || rest.length > 0) throw new SubjectError(`"${api}" is not <namespace>/<name>`);
  return { namespace, api: name };
}

/** Key in `Bucket.policy`: `<ns>.<api>`. @throws SubjectError */
export function policyKey({ namespace, api }: ApiName): string {
  return join([namespace, api]);
}

/** @throws SubjectError */
export function parsePolicyKey(key: string): ApiName {
  const [namespace, api] = split(key, 2);
  return { namespace, api };
}

export interface DecisionKey extends ApiName {
  fleet: string;
  kind: PrincipalKind;
  /** 16 hex digits. */
  pseudonym: string;
}

/** Key in `Bucket.decisions`: `<fleet>.<ns>.<api>.<kind>.<pseudonym>`. @throws SubjectError */
export function decisionKey({ fleet, namespace, api, kind, pseudonym }: DecisionKey): string {
  const kindName = kindNames.get(kind);
  if (!kindName) throw new SubjectError(`${kind} is not a kind of principal`);
  if (!/^[0-9a-f]{16}$/.test(pseudonym)) throw new SubjectError(`"${pseudonym}" is not a pseudonym of 16 hex digits`);
  return join([fleet, namespace, api, kindName, pseudonym]);
}

/** @throws SubjectError */
export function parseDecisionKey(key: string): DecisionKey {
  const [fleet, namespace, api, kindName, pseudonym] = split(key, 5);
  const kind = kindsByName.get(kindName);
  if (kind === undefined) throw new SubjectError(`"${kindName}" in key "${key}" is not a kind of principal`);
  if (!/^[0-9a-f]{16}$/.test(pseudonym)) throw new SubjectError(`key "${key}" ends in no pseudonym of 16 hex digits`);
  return { fleet, namespace, api, kind, pseudonym };
}

export interface AckKey {
  fleet: string;
  /** Envoy's node id. */
  envoy: string;
}

/** Key in `Bucket.acks`: `<fleet>.<envoy>`. @throws SubjectError */
export function ackKey({ fleet, envoy }: AckKey): string {
  return join([fleet, envoy]);
}

/** @throws SubjectError */
export function parseAckKey(key: string): AckKey {
  const [fleet, envoy] = split(key, 2);
  return { fleet, envoy };
}

export interface EventSubject extends ApiName {
  event: EventKind;
  /** What the event is about within the API, for example a verdict's name. */
  about?: readonly string[];
}

/** `picket.v1.<event>.<ns>.<api>[.<about>…]`. @throws SubjectError */
export function eventSubject({ event, namespace, api, about = [] }: EventSubject): string {
  return `${PREFIX}.${event}.${join([namespace, api, ...about])}`;
}

/** @throws SubjectError */
export function parseEventSubject(subject: string): Required<EventSubject> {
  const [picket, version, event, ...tokens] = subject.split('.');
  const kind = eventKinds.find((known) => known === event);
  if (`${picket}.${version}` !== PREFIX || !kind || tokens.length < 2) {
    throw new SubjectError(`"${subject}" is not the subject of an event`);
  }
  const [namespace, api, ...about] = tokens.map(decodeToken) as [string, string, ...string[]];
  return { event: kind, namespace, api, about };
}

/** What to subscribe to for events; whatever is left out matches all. @throws SubjectError */
export function eventFilter({ event, namespace }: { event?: EventKind; namespace?: string } = {}): string {
  return `${PREFIX}.${event ?? '*'}.${namespace === undefined ? '*' : encodeToken(namespace)}.>`;
}

/** `picket.v1.update.<partition>`. @throws SubjectError */
export function updateSubject(partition: number): string {
  if (!Number.isInteger(partition) || partition < 0 || partition >= PARTITIONS) {
    throw new SubjectError(`${partition} is not a partition (0 to ${PARTITIONS - 1})`);
  }
  return `${PREFIX}.update.${partition}`;
}

/** @throws SubjectError */
export function parseUpdateSubject(subject: string): number {
  const digits = /^picket\.v1\.update\.(0|[1-9]\d?)$/.exec(subject)?.[1];
  if (digits === undefined || Number(digits) >= PARTITIONS) {
    throw new SubjectError(`"${subject}" is not the subject of a partition's updates`);
  }
  return Number(digits);
}

const kindNames: ReadonlyMap<PrincipalKind, string> = new Map([
  [PrincipalKind.USER, 'User'],
  [PrincipalKind.APP, 'App'],
  [PrincipalKind.TOKEN, 'Token'],
  [PrincipalKind.SESSION, 'Session'],
  [PrincipalKind.DEVICE, 'Device'],
  [PrincipalKind.ADDRESS, 'Address'],
  [PrincipalKind.NETWORK, 'Network'],
  [PrincipalKind.WORKLOAD, 'Workload'],
  [PrincipalKind.CAMPAIGN, 'Campaign'],
]);
const kindsByName: ReadonlyMap<string, PrincipalKind> = new Map([...kindNames].map(([kind, name]) => [name, kind]));

function join(names: readonly string[]): string {
  return names.map(encodeToken).join('.');
}

function split<N extends 2 | 5>(key: string, count: N): N extends 2 ? [string, string] : FiveStrings {
  const tokens = key.split('.');
  if (tokens.length !== count) throw new SubjectError(`key "${key}" has ${tokens.length} tokens, not ${count}`);
  return tokens.map(decodeToken) as N extends 2 ? [string, string] : FiveStrings;
}

type FiveStrings = [string, string, string, string, string];

function encodeToken(name: string): string {
  if (name === '') throw new SubjectError('an empty name cannot be part of a subject');
  // A lone surrogate has no UTF-8 form and would not come back as it went.
  if (!name.isWellFormed()) throw new SubjectError(`${JSON.stringify(name)} is not valid Unicode`);
  const token = name.replace(/[^A-Za-z0-9_-]/gu, (character) => {
    const bytes = [...new TextEncoder().encode(character)];
    return bytes.map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
  });
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new SubjectError(
      `"${name.slice(0, 64)}…" takes ${token.length} characters in a subject, ${MAX_TOKEN_LENGTH} is the limit`,
    );
  }
  return token;
}

function decodeToken(token: string): string {
  let name: string;
  try {
    name = decodeURIComponent(token.replaceAll('=', '%'));
  } catch {
    throw new SubjectError(`"${token}" is not a token that Picket encoded`);
  }
  if (encodeToken(name) !== token) throw new SubjectError(`"${token}" is not a token that Picket encoded`);
  return name;
}
