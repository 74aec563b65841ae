/**
 * The border: raw access records come in, observation records of hashes and numbers go out. Nothing past this file
 * sees a token, a cookie, a user name or an address, except by asking the escrow.
 *
 * This is the hot path; its measured cost is in `test/bench/identify.ts`.
 */
import { type CompiledPolicy, type FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import {
  classKey,
  DENIAL_DETAILS_PREFIX,
  layerNames,
  RBAC_METADATA_NAMESPACE,
  THROTTLE_CLASS_PREFIX,
} from '@picket/proto/enforcement-metadata.ts';
import type { DropReason, Ledger } from '@picket/runtime/ledger.ts';
import { type AccessRecord, Feed } from '../ingest/access-record.ts';
import { F, Flag, methods, type ObservationBatch, Signal } from '../observation.ts';
import type { OperationRegistry } from '../operations/registry.ts';
import type { Renaming } from '../profile/aliases.ts';
import { isInside, parseAddress } from './address.ts';
import { type ApiContext, compileApiContext } from './api-context.ts';
import { type ApiTable, createApiTable } from './api-table.ts';
import { createCallerReader } from './caller.ts';
import type { Escrow } from './escrow.ts';
import { fillFlow } from './flow-fields.ts';
import { createGenerationMap } from './generation-map.ts';
import { createHeaderShapeReader } from './header-shape.ts';
import type { KeyRing } from './key-ring.ts';
import { type MatchKey, resolveMatchKey } from './match-key.ts';
import { createObjectSteps } from './objects.ts';
import type { LearnedAnswer, OutcomeLearner, OutcomeState } from './outcome.ts';
import { createPseudonymiser, ValueKind } from './pseudonym.ts';
import { type RequestTarget, readRequestTarget } from './request-target.ts';
import { type Route, routeOf } from './route.ts';
import { digest } from './siphash.ts';
import { standingFlags } from './standing.ts';
import { createValueHasher } from './value-hasher.ts';

export interface IdentifierOptions {
  keys: KeyRing;
  operations: OperationRegistry;
  escrow: Escrow;
  /** Drops are counted here, under stage `identify`; the caller only passes them on. */
  ledger: Ledger;
  /** During a key rotation, before the record that shows it: the old and the new pseudonym of a value; may repeat. */
  onRename?: (renaming: Renaming, eventAt: number) => void;
  /** A prefix in an exemption or reputation list is none. */
  onInvalidCidr?: (api: string, text: string) => void;
}

export interface FlowLearning {
  flow: string;
  /** Success is declared, so nothing needs to be learned. */
  declared: boolean;
  answers: LearnedAnswer[];
}

export interface Identifier {
  /** Replaces all policies. Of two that claim one host and prefix the first gets the request. */
  setPolicies(policies: readonly CompiledPolicy[]): void;
  /** Takes a rotated ring into use. */
  setKeyRing(keys: KeyRing): void;
  /** Id of the active key. */
  keyId(): string;
  /**
   * Appends one observation with every field but `seq` filled, or returns why not (already counted in the ledger).
   *
   * @param eventAt completion, Unix ms, as the clock of the source was judged.
   * @param flags `Flag` bits known before, for example `clockAdjusted`.
   */
  identify(record: AccessRecord, batch: ObservationBatch, eventAt: number, flags: number): DropReason | undefined;
  /** "<namespace>/<name>" of the API that a request belongs to, "" for none. */
  apiOf(record: AccessRecord): string;
  /** What the outcome learners of an API hold, for status. */
  learning(api: string): FlowLearning[];
  matchKey(api: string, kind: ValueKind, lo: number, hi: number): MatchKey;
  /** End of the exemption that covers a principal, Unix ms; 0 when none does. `address`: its text, where it is one. */
  exemptUntil(api: string, kind: ValueKind, lo: number, hi: number, address: string | undefined): number;
  /** Weight 0..1 under which a principal was last seen on a reputation list. */
  reputationOf(api: string, kind: ValueKind, lo: number, hi: number): number;
  /** Identity values that were too long to be any. */
  oversizedValues(): number;
  /** Learned outcomes, for checkpoints: JSON. */
  toJSON(): IdentifierState;
  restore(state: IdentifierState): void;
}

export interface IdentifierState {
  version: 1;
  learners: [api: string, flow: string, type: FlowType, state: OutcomeState][];
  /** Last object by principal and scope. */
  steps: [number, number][];
}

const methodNumbers = new Map<string, number>(methods.map((name, i) => [name, i]));
const feedNumbers = new Map<string, number>(Object.values(Feed).map((name, i) => [name, i]));
const maxSources = 65_536;
const principalFields: Readonly<Record<number, { offset: number; verified: number }>> = {
  [PrincipalKind.USER]: { offset: F.user, verified: Flag.userVerified },
  [PrincipalKind.APP]: { offset: F.app, verified: Flag.appVerified },
  [PrincipalKind.TOKEN]: { offset: F.token, verified: Flag.tokenVerified },
  [PrincipalKind.SESSION]: { offset: F.session, verified: Flag.sessionVerified },
  [PrincipalKind.WORKLOAD]: { offset: F.workload, verified: 0 },
};

export function createIdentifier(options: IdentifierOptions): Identifier {
  const { operations, escrow, ledger } = options;
  const learners = new Map<string, Map<string, OutcomeLearner>>();
  const savedStates = new Map<string, OutcomeState>();
  const shapes = createHeaderShapeReader();
  const sources = new Map<string, number>();
  const targets = createGenerationMap<string, RequestTarget>(16_384, (key) => key.length);
  const hasher = createValueHasher(
    createPseudonymiser(options.keys, (renaming, at) => options.onRename?.(renaming, at)),
    escrow,
  );
  const callers = createCallerReader(hasher, escrow);
  const steps = createObjectSteps(hasher.pseudonyms.key(ValueKind.Object));
  let policies: readonly CompiledPolicy[] = [];
  let contexts = new Map<string, ApiContext>();
  let table: ApiTable<ApiContext> = createApiTable<ApiContext>([]);
  let oversized = 0;
  let lastSource = '';
  let lastSourceIndex = 0;

  function compile(): void {
    const next = new Map<string, ApiContext>();
    for (const policy of policies) {
      let own = learners.get(policy.api);
      if (!own) {
        own = new Map();
        learners.set(policy.api, own);
      }
      const context = compileApiContext(policy, operations, hasher.pseudonyms, own, {
        oversized: () => oversized++,
        invalidCidr: (api, text) => options.onInvalidCidr?.(api, text),
      });
      for (const flow of context.flows.list) {
        const saved = savedStates.get(`${policy.api}\0${flow.name}`);
        if (saved && savedStates.delete(`${policy.api}\0${flow.name}`)) flow.learner.restore(saved);
      }
      next.set(policy.api, context);
    }
    for (const api of contexts.keys()) {
      if (next.has(api)) continue;
      operations.delete(api);
      learners.delete(api);
    }
    contexts = next;
    table = createApiTable([...next.values()]);
  }

  function drop(reason: DropReason): DropReason {
    ledger.dropped('identify', reason);
    return reason;
  }

  function targetOf(record: AccessRecord): RequestTarget {
    const raw = record.path;
    const ordinary = raw.charCodeAt(0) === 47 && methodNumbers.has(record.method) && record.method !== 'CONNECT';
    // What the method and host of a request say about its target is worth no cache entry: such requests are rare.
    if (!ordinary)
      return readRequestTarget(record.method, raw, record.authority, hasher.pseudonyms.key(ValueKind.Path));
    let target = targets.get(raw);
    if (!target) {
      target = readRequestTarget('GET', raw, record.authority, hasher.pseudonyms.key(ValueKind.Path));
      targets.set(raw, target);
    }
    return target;
  }

  function sourceOf(name: string): number {
    if (name === lastSource) return lastSourceIndex;
    let index = sources.get(name);
    if (index === undefined) {
      index = sources.size < maxSources ? sources.size + 1 : 0;
      if (index > 0) sources.set(name, index);
    }
    lastSource = name;
    lastSourceIndex = index;
    return index;
  }

  /** Fills the principals of the rules; returns the verified flags. */
  function fillPrincipals(
    context: ApiContext,
    record: AccessRecord,
    u32: Uint32Array,
    base: number,
    at: number,
    accepted: boolean,
  ): number {
    let verified = 0;
    let taken = 0;
    for (const extractor of context.extractors) {
      const bit = 1 << extractor.kind;
      if ((taken & bit) !== 0) continue;
      const value = extractor.read(record);
      if (value === '') continue;
      taken |= bit;
      const field = principalFields[extractor.kind] as { offset: number; verified: number };
      const kind = extractor.kind as ValueKind;
      hasher.hash(kind, value, at);
      u32[base + field.offset] = digest.lo;
      u32[base + field.offset + 1] = digest.hi;
      // A credential proves itself by being accepted; a name proves nothing, Envoy must vouch for it.
      const proven = extractor.vouched || (accepted && extractor.kind !== PrincipalKind.USER);
      if (proven) verified |= field.verified;
      if (extractor.matchAs === 'none') hasher.keep(kind, value);
      // An earlier claim of the value may be vouched for only now, so vouched values are told apart.
      else if (!hasher.marked(kind, escrow.generation(kind) * 2 + (extractor.vouched ? 1 : 0))) {
        const kept = extractor.matchAs === 'value' ? value : value.slice(0, extractor.matchCharacters);
        escrow.put(kind, digest.lo, digest.hi, kept, extractor.vouched, extractor.matchAs);
      }
    }
    if ((taken & (1 << PrincipalKind.USER)) === 0 && record.logUser !== '' && record.logUser.length <= 256) {
      hasher.hash(ValueKind.User, record.logUser, at);
      u32[base + F.user] = digest.lo;
      u32[base + F.user + 1] = digest.hi;
      hasher.keep(ValueKind.User, record.logUser);
    }
    if ((taken & (1 << PrincipalKind.WORKLOAD)) === 0 && record.peerCertificate !== '') {
      hasher.hash(ValueKind.Workload, record.peerCertificate, at);
      u32[base + F.workload] = digest.lo;
      u32[base + F.workload + 1] = digest.hi;
    }
    return verified;
  }

  /** The object of the request and how far it is from the one before; returns flags. */
  function fillObject(
    route: Route,
    scope: string,
    u32: Uint32Array,
    f64: Float64Array,
    base: number,
    flags: number,
  ): number {
    const { context } = route;
    const object = route.object(scope, context.operations.variable);
    if (!object) return 0;
    const within = object.inferred ? object.scope : scope;
    u32[base + F.object] = object.lo;
    u32[base + F.object + 1] = object.hi;
    const acting =
      (flags & Flag.userVerified) !== 0
        ? F.user
        : (flags & Flag.tokenVerified) !== 0
          ? F.token
          : (flags & Flag.sessionVerified) !== 0
            ? F.session
            : (flags & Flag.appVerified) !== 0
              ? F.app
              : F.address;
    f64[(base + F.objectDelta) >> 1] = steps.step(
      u32[base + acting] as number,
      u32[base + acting + 1] as number,
      within === '' ? context.api : within,
      object.number,
    );
    return object.inferred ? Flag.objectInferred : 0;
  }

  return {
    setPolicies(next) {
      policies = [...next];
      compile();
    },
    setKeyRing(keys) {
      hasher.use(createPseudonymiser(keys, (renaming, at) => options.onRename?.(renaming, at)));
      callers.clear();
      compile();
    },
    keyId: () => hasher.pseudonyms.keyId,
    identify(record, batch, eventAt, givenFlags) {
      if (!record.finished) return drop('unfinished');
      if (record.path === '' && record.method === '' && record.authority === '') return drop('missing_properties');
      const target = targetOf(record);
      const context = table.find(record.authority, target.path);
      if (!context) return drop('no_api');

      const base = batch.append();
      const { u32, f64 } = batch;
      batch.requestIds[batch.length - 1] = record.requestId;
      const methodNumber = methodNumbers.get(record.method) ?? 0;
      const method = methods[methodNumber] as string;
      const refused = isRefusedByPicket(record);
      const accepted = !refused && record.status > 0 && record.status !== 401 && record.status !== 403;
      let flags = givenFlags;

      f64[(base + F.eventAt) >> 1] = eventAt;
      f64[(base + F.startedAt) >> 1] = record.startedAtMs;
      f64[(base + F.arrivedAt) >> 1] = record.arrivedAtMs;
      f64[(base + F.durationMs) >> 1] = record.durationMs;
      f64[(base + F.upstreamMs) >> 1] = record.upstreamMs;
      f64[(base + F.requestBytes) >> 1] = record.requestBytes;
      f64[(base + F.responseBytes) >> 1] = record.responseBytes;
      f64[(base + F.amount) >> 1] = Number.NaN;
      f64[(base + F.objectDelta) >> 1] = Number.NaN;
      u32[base + F.api] = context.lo;
      u32[base + F.api + 1] = context.hi;
      u32[base + F.status] = record.status;
      u32[base + F.kinds] = (methodNumber | ((feedNumbers.get(record.feed) ?? 0) << 24)) >>> 0;
      u32[base + F.source] = sourceOf(record.source);
      u32[base + F.path] = (target.pathLo ^ context.lo) >>> 0;
      u32[base + F.path + 1] = (target.pathHi ^ context.hi) >>> 0;
      u32[base + F.target] = (target.targetLo ^ context.lo) >>> 0;
      u32[base + F.target + 1] = (target.targetHi ^ context.hi) >>> 0;
      u32[base + F.headerShape] = shapes.read(record);

      const facts = callers.address(record.remoteAddress === '' ? record.directAddress : record.remoteAddress, eventAt);
      u32[base + F.address] = facts.lo;
      u32[base + F.address + 1] = facts.hi;
      u32[base + F.network] = facts.networkLo;
      u32[base + F.network + 1] = facts.networkHi;
      const agent = callers.userAgent(record.userAgent, eventAt);
      u32[base + F.userAgent] = agent.lo;
      u32[base + F.userAgent + 1] = agent.hi;
      callers.fillDevice(record, agent, u32, base, eventAt);
      flags |= fillPrincipals(context, record, u32, base, eventAt, accepted);

      if (refused) flags |= Flag.refusedByPicket;
      if (target.staticAsset) flags |= Flag.staticAsset;
      if (target.recordPath) flags |= Flag.recordPath;
      if (target.triedName) flags |= Flag.triedName;
      if (agent.declaredBot) flags |= Flag.declaredBot;
      if (agent.library) flags |= Flag.library;
      if (isInside(facts)) flags |= Flag.inside;
      if (record.referer !== '') flags |= Flag.hasReferer;
      if (record.requestHeaders.has('cookie')) flags |= Flag.hasCookie;

      const route = routeOf(context, method, target);
      const { flow, form } = route;
      if (flow) flags |= fillFlow(hasher, context, flow, record, target, u32, f64, base, eventAt, refused);
      else if (form && record.status === 200) form.learner.sawForm(record.responseBytes);

      // A refusal of ours says nothing about the path.
      const operation = context.operations.resolve(
        method,
        target.path,
        refused ? 0 : record.status,
        eventAt,
        target.staticAsset,
        route.declared,
      );
      if (operation) {
        u32[base + F.operation] = operation.lo;
        u32[base + F.operation + 1] = operation.hi;
        if (operation.declared) flags |= Flag.declaredOperation;
      } else flags |= Flag.unknownOperation;
      if (!target.staticAsset) {
        flags |= fillObject(route, operation?.objectScope ?? '', u32, f64, base, flags);
      }

      let signals = target.signals;
      if (!refused && isNotThere(record.status)) signals |= target.signalsWhenRefused;
      if (agent.knownTool) signals |= Signal.knownTool;
      if (agent.hostile) signals |= Signal.codeInjection;
      // The block editor of WordPress lists users for its own staff, and its pages of authors are there to be found.
      if (
        (signals & Signal.userEnumeration) !== 0 &&
        (record.referer.includes('/wp-admin/') || (agent.declaredBot && !agent.knownTool))
      ) {
        signals &= ~Signal.userEnumeration;
      }
      u32[base + F.signals] = signals;
      u32[base + F.flags] = flags;
      if (!context.standing.empty) {
        flags |= standingFlags(context.standing, record, facts, u32, base, eventAt);
        u32[base + F.flags] = flags;
      }
      return undefined;
    },
    apiOf: (record) => table.find(record.authority, targetOf(record).path)?.api ?? '',
    learning: (api) =>
      contexts.get(api)?.flows.list.map((flow) => ({
        flow: flow.name,
        declared: flow.declaredOutcome !== undefined,
        answers: flow.learner.learned(),
      })) ?? [],
    exemptUntil(api, kind, lo, hi, text) {
      const standing = contexts.get(api)?.standing;
      if (!standing) return 0;
      const byAddress =
        text !== undefined && parseAddress(text.replace(/\/\d+$/, '')) ? standing.exemptAddressUntil() : 0;
      return Math.max(byAddress, standing.exemptPrincipalUntil(kind, lo, hi));
    },
    matchKey: (api, kind, lo, hi) => resolveMatchKey(escrow, contexts.get(api)?.policy, kind, lo, hi),
    reputationOf: (api, kind, lo, hi) => contexts.get(api)?.standing.weightOf(kind, lo, hi) ?? 0,
    oversizedValues: () => oversized,
    toJSON() {
      const state: IdentifierState = { version: 1, learners: [], steps: steps.entries() };
      for (const [api, context] of contexts) {
        for (const flow of context.flows.list) {
          if (!flow.declaredOutcome) state.learners.push([api, flow.name, flow.type, flow.learner.toJSON()]);
        }
      }
      return state;
    },
    restore(state) {
      savedStates.clear();
      for (const [api, name, , saved] of state.learners) savedStates.set(`${api}\0${name}`, saved);
      steps.restore(state.steps);
      compile();
    },
  };
}

/** Answers of a server that does not have, or does not show, what was asked for. */
function isNotThere(status: number): boolean {
  return status === 404 || status === 403 || status === 400 || status === 405 || status === 410;
}

const classKeys = layerNames.map(classKey);

/** Envoy names the decision in the details of a denial; a throttled request carries its class in metadata. */
function isRefusedByPicket(record: AccessRecord): boolean {
  if (record.status === 403) return record.responseCodeDetails.startsWith(DENIAL_DETAILS_PREFIX);
  if (record.status !== 429) return false;
  return classKeys.some((key) => {
    const name = record.metadata(RBAC_METADATA_NAMESPACE, key);
    return typeof name === 'string' && name.startsWith(THROTTLE_CLASS_PREFIX);
  });
}
