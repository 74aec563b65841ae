import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, Level, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { type ApiPlace, byPrecedence, claimsOf, isRequestOf, overlaps } from './api-match.ts';
import { type GuardedPlace, isExempt, isFromExempt } from './exempt.ts';
import { type DecisionMatch, matchOfDecision } from './decision-match.ts';
import { type EntityKind, entityKinds, entityState, type RenderedResource } from './identify.ts';
import {
  addressTrie,
  allow,
  and,
  type Cidr,
  exactMap,
  filterStateInput,
  firstOf,
  type Json,
  type Matcher,
  nested,
  not,
  type OnMatch,
  or,
  type Predicate,
  rbacAction,
} from './matcher.ts';
import { type LayerName, layerPrefix } from '@picket/proto/enforcement-metadata.ts';
import { apiState, typeUrls } from './names.ts';
import { throttleClass } from './throttle.ts';

/** What a decision makes Envoy do with a request. Passes of the shadow matcher run in this order. */
const effects = ['deny', 'throttle', 'tag', 'dry'] as const;
type Effect = (typeof effects)[number];

interface Entry {
  decision: Decision;
  match: Exclude<DecisionMatch, { by: 'nothing' }>;
  effect: Effect;
  onMatch: OnMatch;
  /** Of the decision, for ranking a hundred thousand: reading them from a message takes longer. */
  id: string;
  ends: number;
}

/** Why a decision cannot be programmed in any layer. */
export interface Unprogrammable {
  reason: 'UnknownApi' | 'UnsupportedAction' | 'BadMatch' | 'Observe';
  message: string;
}

/** Checks one decision before it gets a place; undefined when it can be programmed. */
export function whyUnprogrammable(decision: Decision, apis: ReadonlyMap<string, ApiPlace>): Unprogrammable | undefined {
  if (decision.mode !== Mode.ENFORCE && decision.mode !== Mode.DRY_RUN) {
    return { reason: 'Observe', message: 'the policy observes: Envoy is told nothing' };
  }
  if (!apis.has(decision.apiUid)) {
    return { reason: 'UnknownApi', message: `no accepted ProtectedAPI ${decision.api} with this UID` };
  }
  if (![Action.TAG, Action.THROTTLE, Action.DENY].includes(decision.action)) {
    return { reason: 'UnsupportedAction', message: 'this Envoy wiring carries out Tag, Throttle and Deny' };
  }
  const match = matchOfDecision(decision);
  return match.by === 'nothing' ? { reason: 'BadMatch', message: match.problem } : undefined;
}

/**
 * One layer as an RBAC filter: `matcher` holds the denials, `shadow_matcher` the classes that stationary filters act
 * on. Decisions that cannot be programmed are left out; the same input gives the same resource in any order. Exempt
 * callers come before all of them.
 *
 * @param now exemptions that ended before are left out, Unix ms
 */
export function renderLayer(
  layer: LayerName,
  decisions: Iterable<Decision>,
  apis: ReadonlyMap<string, GuardedPlace>,
  now = 0,
): RenderedResource {
  const entries = entriesOf(decisions, apis, layer);
  const build = layer.startsWith('picket.address') ? addressMatcher : entityMatcher;
  const denials = entries.filter((e) => e.effect === 'deny');
  const classes = entries.filter((e) => e.effect !== 'deny');
  const typedConfig: Json = { '@type': typeUrls.rbac };
  if (denials.length > 0) {
    typedConfig['rulesStatPrefix'] = layerPrefix(layer);
    typedConfig['matcher'] = build(denials, apis, now);
  }
  if (classes.length > 0) {
    typedConfig['shadowRulesStatPrefix'] = layerPrefix(layer);
    typedConfig['shadowMatcher'] = build(classes, apis, now);
  }
  return { name: layer, typedConfig };
}

/**
 * The large layer of addresses does not name the decision: a hundred thousand actions take Picket and Envoy five times as
 * long as a hundred thousand addresses with one.
 */
const deniedByAddress = rbacAction('dec-by-address', 'DENY');

function entriesOf(decisions: Iterable<Decision>, apis: ReadonlyMap<string, ApiPlace>, layer: LayerName): Entry[] {
  const entries: Entry[] = [];
  for (const decision of decisions) {
    if (whyUnprogrammable(decision, apis)) continue;
    const match = matchOfDecision(decision);
    if (match.by === 'nothing') continue;
    const { effect, onMatch } = effectOf(decision, layer);
    entries.push({ decision, match, effect, onMatch, id: decision.id, ends: Number(decision.expiresAtMs) });
  }
  // Of two decisions on one key the one that lasts longer stands.
  return entries.sort(
    (a, b) => effects.indexOf(a.effect) - effects.indexOf(b.effect) || b.ends - a.ends || (a.id < b.id ? -1 : 1),
  );
}

function effectOf(decision: Decision, layer: LayerName): { effect: Effect; onMatch: OnMatch } {
  const { id, action } = decision;
  if (decision.mode === Mode.DRY_RUN) {
    return { effect: 'dry', onMatch: rbacAction(`dry-${Action[action].toLowerCase()}.${id}`, 'ALLOW') };
  }
  if (action === Action.DENY)
    return { effect: 'deny', onMatch: layer === 'picket.address' ? deniedByAddress : rbacAction(id, 'DENY') };
  if (action === Action.THROTTLE) {
    // The whole name is the key of the token bucket: it names the principal, not the decision, so that a decision
    // renewed for the same principal does not hand it a full bucket.
    const who = `${PrincipalKind[decision.kind].toLowerCase()}.${decision.pseudonym}.${decision.apiUid}`;
    return {
      effect: 'throttle',
      onMatch: rbacAction(`${throttleClass(decision.throttleRequestsPerMinute)}.${who}`, 'ALLOW'),
    };
  }
  return { effect: 'tag', onMatch: rbacAction(`tag-${Level[decision.level].toLowerCase()}.${id}`, 'ALLOW') };
}

/** API, then each kind of identity, then conjunctions; effect by effect. All but the last are hash lookups. */
function entityMatcher(entries: readonly Entry[], apis: ReadonlyMap<string, GuardedPlace>, now: number): Matcher {
  const byApi = new Map<string, OnMatch>();
  for (const [uid, own] of Map.groupBy(entries, (e) => e.decision.apiUid)) {
    let next = allow;
    for (const effect of [...effects].reverse()) {
      const pass = own.filter((e) => e.effect === effect);
      next = traitStep(pass, next);
      for (const kind of [...entityKinds].reverse()) next = entityStep(pass, kind, next);
    }
    const place = apis.get(uid);
    const exempt = place && isExempt(place, now);
    byApi.set(uid, exempt ? nested(firstOf([{ predicate: exempt, onMatch: allow }], next)) : next);
  }
  return exactMap(filterStateInput(apiState), byApi, allow);
}

function entityStep(entries: readonly Entry[], kind: EntityKind, next: OnMatch): OnMatch {
  const map = new Map<string, OnMatch>();
  for (const { match, onMatch } of entries) {
    if (match.by === 'entity' && match.kind === kind && !map.has(match.value)) map.set(match.value, onMatch);
  }
  return map.size === 0 ? next : nested(exactMap(filterStateInput(entityState(kind)), map, next));
}

function traitStep(entries: readonly Entry[], next: OnMatch): OnMatch {
  const list: { predicate: Predicate; onMatch: OnMatch }[] = [];
  for (const { match, onMatch } of entries) {
    if (match.by === 'traits') list.push({ predicate: match.predicate, onMatch });
  }
  return list.length === 0 ? next : nested(firstOf(list, next));
}

/**
 * One trie over all addresses. Ranges that are decided for the same APIs stand together, for whose a request is takes
 * expressions: one per API, and not one per address. A range whose APIs do not own the request gives way to the next
 * wider range, which is why the inner lists have no last resort of their own.
 */
function addressMatcher(entries: readonly Entry[], apis: ReadonlyMap<string, GuardedPlace>, now: number): Matcher {
  const byRange = new Map<string, { range: Cidr; byApi: Map<string, Entry> }>();
  for (const entry of entries) {
    if (entry.match.by !== 'address') continue;
    for (const range of entry.match.cidrs) {
      const key = `${range.addressPrefix}/${range.prefixLen}`;
      const slot = byRange.get(key) ?? { range, byApi: new Map<string, Entry>() };
      if (!slot.byApi.has(entry.decision.apiUid)) slot.byApi.set(entry.decision.apiUid, entry);
      byRange.set(key, slot);
    }
  }
  const claims = claimsOf(apis.values());
  const groups = [...Map.groupBy(byRange.values(), (slot) => [...slot.byApi.keys()].join())].map(([, slots]) => ({
    ranges: slots.map((slot) => slot.range),
    onMatch: nested(
      firstOf(
        [...(slots[0]?.byApi.keys() ?? [])].map((uid) => ({
          predicate: isOwnedBy(uid, claims),
          onMatch: effectTrie(slots, uid),
        })),
      ),
    ),
  }));
  const trie = addressTrie(groups, allow);
  // In front of the trie, for there the narrowest range would win and not the exemption.
  const guards = [...new Set(entries.map((e) => e.decision.apiUid))].sort().flatMap((uid) => {
    const place = apis.get(uid);
    const exempt = place && isFromExempt(place, now);
    return exempt ? [{ predicate: and([exempt, isOwnedBy(uid, claims)]), onMatch: allow }] : [];
  });
  return guards.length === 0 ? trie : firstOf(guards, nested(trie));
}

/** What is done with these addresses on this API: the same with all of them, or a second trie tells. */
function effectTrie(slots: readonly { range: Cidr; byApi: ReadonlyMap<string, Entry> }[], uid: string): OnMatch {
  const byEffect = Map.groupBy(slots, (slot) => slot.byApi.get(uid)?.onMatch ?? allow);
  const [only] = byEffect.keys();
  if (byEffect.size === 1 && only) return only;
  return nested(
    addressTrie(
      [...byEffect].map(([onMatch, own]) => ({ ranges: own.map((slot) => slot.range), onMatch })),
      allow,
    ),
  );
}

/** The request belongs to this API and not to a more specific one; stands in front of `picket.identify`. */
function isOwnedBy(uid: string, claims: readonly ApiPlace[]): Predicate {
  return or(
    claims
      .filter((claim) => claim.apiUid === uid)
      .map((claim) => {
        const above = claims.filter((c) => c.apiUid !== uid && byPrecedence(c, claim) < 0 && overlaps(c, claim));
        return and([isRequestOf(claim), ...(above.length === 0 ? [] : [not(or(above.map(isRequestOf)))])]);
      }),
  );
}
