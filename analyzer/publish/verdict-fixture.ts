import { Level, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Verdict } from '../verdict.ts';

/** A verdict for tests, on an address of the API shop/shop. */
export function sampleVerdict(over: Partial<Verdict> = {}): Verdict {
  return {
    name: 'shop-shop-address-0000000000000001',
    api: 'shop/shop',
    kind: PrincipalKind.ADDRESS,
    pseudonym: '0000000000000001',
    score: 91.25,
    level: Level.CRITICAL,
    confidence: 0.5,
    firstSeen: 1_767_225_600_000,
    lastSeen: 1_767_225_601_000,
    expiresAt: 1_767_229_200_000,
    requests: 12,
    contributions: [{ source: 'bruteForce', points: 91.25 }],
    findings: [],
    requestIds: [],
    benignIf: 'a load test',
    enforceable: { ok: true, reason: '', message: '' },
    policyRevision: 'r1',
    detectorVersion: '1',
    tick: 7,
    ...over,
  };
}
