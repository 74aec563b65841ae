/** The fields of an observation that come from its flow. */
import { FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { AccessRecord } from '../ingest/access-record.ts';
import { F, Flag, Outcome } from '../observation.ts';
import type { ApiContext } from './api-context.ts';
import type { CompiledFlow } from './flows.ts';
import { hashKey } from './generation-map.ts';
import { setCookieOf } from './principals.ts';
import { ValueKind } from './pseudonym.ts';
import type { RequestTarget } from './request-target.ts';
import { digest } from './siphash.ts';
import type { ValueHasher } from './value-hasher.ts';

/** Fills account, amount, counterparty and, at a successful login, what it handed out; returns flags. */
export function fillFlow(
  hasher: ValueHasher,
  context: ApiContext,
  flow: CompiledFlow,
  record: AccessRecord,
  target: RequestTarget,
  u32: Uint32Array,
  f64: Float64Array,
  base: number,
  at: number,
  refused: boolean,
): number {
  const account = flow.account(record, target.query);
  if (account !== '') {
    hasher.hash(ValueKind.Account, account, at);
    u32[base + F.account] = digest.lo;
    u32[base + F.account + 1] = digest.hi;
    hasher.keep(ValueKind.Account, account);
  }
  const counterparty = flow.counterparty(record, target.query);
  if (counterparty !== '') {
    hasher.hash(ValueKind.Counterparty, counterparty, at);
    u32[base + F.counterparty] = digest.lo;
    u32[base + F.counterparty + 1] = digest.hi;
  }
  f64[(base + F.amount) >> 1] = flow.amount(record, target.query);
  const kinds = (u32[base + F.kinds] as number) | (flow.type << 8);
  u32[base + F.kinds] = kinds;
  // What Picket refused never reached the application: no outcome, and nothing to learn from.
  if (refused) return 0;
  let outcome: Outcome;
  let flags = 0;
  const setCookie = record.responseHeaders.get('set-cookie');
  if (flow.declaredOutcome) outcome = flow.declaredOutcome(record);
  else {
    outcome = flow.learner.judge({
      status: record.status,
      path: target.path,
      location: record.responseHeaders.get('location') ?? '',
      setsCookie: setCookie !== undefined ? true : record.responseHeaders.size > 0 ? false : undefined,
      responseBytes: record.responseBytes,
      source: hashKey(
        ((u32[base + F.address] as number) ^ (u32[base + F.account] as number)) >>> 0,
        ((u32[base + F.address + 1] as number) ^ (u32[base + F.account + 1] as number)) >>> 0,
      ),
      at,
    });
    if (outcome !== Outcome.unknown) flags = Flag.outcomeLearned;
  }
  u32[base + F.kinds] = (kinds | (outcome << 16)) >>> 0;
  if (flow.type !== FlowType.LOGIN || outcome !== Outcome.success || setCookie === undefined) return flags;
  for (const { kind, cookie } of context.issued) {
    const value = setCookieOf(setCookie, cookie);
    if (value === '' || value.length > 4096) continue;
    const isSession = kind === PrincipalKind.SESSION;
    const field = isSession ? F.session : F.token;
    hasher.hash(kind as ValueKind, value, at);
    u32[base + field] = digest.lo;
    u32[base + field + 1] = digest.hi;
    flags |= isSession ? Flag.sessionVerified : Flag.tokenVerified | Flag.tokenIssued;
  }
  return flags;
}
