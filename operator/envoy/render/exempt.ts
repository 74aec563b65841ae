/** Who is exempt, as a guard in front of every decision: a campaign's traits or an address may well be theirs too. */
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { ApiPlace } from './api-match.ts';
import { parseCidr } from './cidr.ts';
import { entityKinds, entityState } from './identify.ts';
import { addressIn, type Cidr, equals, filterStateInput, or, type Predicate } from './matcher.ts';

/** What rendering a layer needs of a policy. */
export type GuardedPlace = ApiPlace & Partial<Pick<CompiledPolicy, 'exemptions'>>;

/** Requests from exempt addresses; undefined when there are none. Holds in front of authentication too. */
export function isFromExempt(place: GuardedPlace, now: number): Predicate | undefined {
  const cidrs = exemptCidrs(place, now);
  return cidrs.length === 0 ? undefined : addressIn(cidrs);
}

/** Requests from exempt addresses or of exempt identities; needs what `picket.identify` has left. */
export function isExempt(place: GuardedPlace, now: number): Predicate | undefined {
  const predicates: Predicate[] = [];
  const cidrs = exemptCidrs(place, now);
  if (cidrs.length > 0) predicates.push(addressIn(cidrs));
  for (const { subject } of subjectsOf(place, now)) {
    if (subject.case !== 'principal' || subject.value.value === '') continue;
    const kind = entityKinds.find((k) => k === subject.value.kind);
    if (kind !== undefined) predicates.push(equals(filterStateInput(entityState(kind)), subject.value.value));
  }
  return predicates.length === 0 ? undefined : or(predicates);
}

function exemptCidrs(place: GuardedPlace, now: number): Cidr[] {
  return subjectsOf(place, now).flatMap(({ subject }) => {
    const range = subject.case === 'cidr' ? parseCidr(subject.value) : undefined;
    return range ? [range] : [];
  });
}

function subjectsOf(place: GuardedPlace, now: number) {
  return (place.exemptions ?? []).filter((e) => Number(e.expiresAtMs) > now).flatMap((e) => e.subjects);
}
