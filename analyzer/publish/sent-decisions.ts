/** Decisions that an earlier run sent and that are still on the bus: their match outlives what the border knows. */
import { fromBinary } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema, type Predicate } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Bucket } from '@picket/runtime/bus/bus.ts';

export interface SentDecisions {
  all(): Iterable<Decision>;
  match(api: string, kind: PrincipalKind, pseudonym: string): Predicate[] | undefined;
  /** The address or prefix that the decision names, where it names one. */
  address(api: string, kind: PrincipalKind, pseudonym: string): string | undefined;
}

/** @param onMalformed told of entries that are no decision */
export async function readSentDecisions(
  bucket: Bucket,
  onMalformed: (key: string, error: Error) => void,
): Promise<SentDecisions> {
  const found = new Map<string, Decision>();
  let synced: () => void = () => {};
  const everything = new Promise<void>((resolve) => {
    synced = resolve;
  });
  const subscription = await bucket.watch({
    onEntry(key, value) {
      if (!value) return;
      try {
        const decision = fromBinary(DecisionSchema, value);
        found.set(keyOf(decision.api, decision.kind, decision.pseudonym), decision);
      } catch (error) {
        onMalformed(key, error as Error);
      }
    },
    onSynced: () => synced(),
  });
  await everything;
  await subscription.stop();
  return {
    all: () => found.values(),
    match: (api, kind, pseudonym) => found.get(keyOf(api, kind, pseudonym))?.match,
    address(api, kind, pseudonym) {
      const predicate = found.get(keyOf(api, kind, pseudonym))?.match[0]?.predicate;
      return predicate?.case === 'addresses' ? predicate.value.cidrs[0] : undefined;
    },
  };
}

function keyOf(api: string, kind: PrincipalKind, pseudonym: string): string {
  return `${api} ${kind}:${pseudonym}`;
}
