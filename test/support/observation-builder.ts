/** Observations written straight into a batch, for tests of what lies behind `identify/`. */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { F, Flag, type ObservationBatch, Outcome } from '@picket/analyzer/observation.ts';
import { shapeHeaders } from '@picket/proto/access-log.ts';
import { apiIdOf } from '@picket/analyzer/operations/template.ts';
import { fold } from '@picket/analyzer/profile/hash.ts';

export interface Described {
  api?: string;
  at: number;
  address: string;
  userAgent?: string;
  user?: string;
  token?: string;
  session?: string;
  account?: string;
  operation?: string;
  path?: string;
  object?: { value: string; delta?: number };
  method?: 'GET' | 'POST';
  status?: number;
  login?: 'success' | 'failure';
  headers?: readonly string[];
  signals?: number;
}

/** Deterministic 64-bit stand-in for a pseudonym. */
export function hashOf(text: string): [number, number] {
  let a = 0x811c9dc5;
  let b = 0x1234567;
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ a ^ text.charCodeAt(i), 0x85ebca6b);
  }
  return [fold(a, b), fold(b, a)];
}

const reported = 0b1111;

/** Appends the described observation and returns its base. */
export function describeObservation(batch: ObservationBatch, d: Described): number {
  const base = batch.append();
  const { u32, f64 } = batch;
  const put = (field: number, text: string | undefined): void => {
    if (text === undefined) return;
    const [lo, hi] = hashOf(text);
    u32[base + field] = lo;
    u32[base + field + 1] = hi;
  };
  f64[(base + F.eventAt) >> 1] = d.at;
  f64[(base + F.startedAt) >> 1] = d.at - 10;
  f64[(base + F.arrivedAt) >> 1] = d.at;
  f64[(base + F.durationMs) >> 1] = 10;
  f64[(base + F.objectDelta) >> 1] = d.object?.delta ?? Number.NaN;
  put(F.address, d.address);
  put(F.network, d.address.split('.').slice(0, 3).join('.'));
  put(F.userAgent, d.userAgent);
  put(F.user, d.user);
  put(F.token, d.token);
  put(F.session, d.session);
  put(F.account, d.account);
  put(F.operation, d.operation ?? d.path ?? '/');
  put(F.path, d.path ?? '/');
  put(F.target, d.path ?? '/');
  put(F.object, d.object && `object:${d.object.value}`);
  u32[base + F.api] = apiIdOf(d.api ?? 'shop/shop').lo;
  u32[base + F.status] = d.status ?? 200;
  u32[base + F.signals] = d.signals ?? 0;
  const shape = (d.headers ?? []).reduce((bits, name) => bits | (1 << shapeHeaders.indexOf(name as never)), 0);
  u32[base + F.headerShape] = d.headers ? (reported << 16) | shape : 0;
  u32[base + F.flags] =
    (d.user ? Flag.userVerified : 0) | (d.token ? Flag.tokenVerified : 0) | (d.session ? Flag.sessionVerified : 0);
  const outcome = d.login === 'success' ? Outcome.success : d.login === 'failure' ? Outcome.failure : Outcome.unknown;
  u32[base + F.kinds] =
    (d.method === 'POST' || d.login ? 3 : 1) | ((d.login ? FlowType.LOGIN : 0) << 8) | (outcome << 16);
  return base;
}
