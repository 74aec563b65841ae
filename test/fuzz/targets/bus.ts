/** Entries of the buckets, which others can write to: what is no decision or policy is left out, and the rest is read. */
import { create, toBinary } from '@bufbuild/protobuf';
import { watchPolicies } from '@picket/analyzer/policy-watch.ts';
import { watchDecisions } from '@picket/operator/envoy/ecds/decision-set.ts';
import { DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket } from '@picket/proto/subjects.ts';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

export async function busTarget(): Promise<FuzzTarget> {
  const expiresAtMs = BigInt(systemClock.now() + 86_400_000);
  const good = create(DecisionSchema, {
    ...{ id: 'dec-1', fleet: 'shop', api: 'shop/orders', apiUid: 'u', pseudonym: 'ab', verdict: 'v', expiresAtMs },
    match: [{ predicate: { case: 'addresses', value: { cidrs: ['203.0.113.9'] } } }],
  });
  const policy = create(CompiledPolicySchema, { api: 'shop/orders', hosts: ['*'], revision: '1' });
  const bus = createMemoryBus();
  const decisions = await bus.bucket(Bucket.decisions);
  const policies = await bus.bucket(Bucket.policy);
  await decisions.put('good', toBinary(DecisionSchema, good));
  let malformed = 0;
  const inForce = await watchDecisions({
    bus,
    fleet: 'shop',
    clock: systemClock,
    onChange() {},
    onMalformed: () => void malformed++,
  });
  const told = new Set<string>();
  let unreadable = 0;
  const watching = await watchPolicies(
    policies,
    (found, api) => void (found ? told.add(api) : told.delete(api)),
    () => void unreadable++,
  );
  return {
    seeds: [Buffer.from(toBinary(DecisionSchema, good)), Buffer.from(toBinary(CompiledPolicySchema, policy))],
    dictionary: ['\x0a', '\x12', '\x1a', '\x22', 'shop', 'shop/orders', '\xff\xff\xff\xff\x0f', '\x00', 'dec-'],
    async check(input) {
      const before = unreadable + malformed;
      await decisions.put('other', input);
      await policies.put('shop.orders', input);
      await new Promise((resolve) => setImmediate(resolve));
      must(inForce.inForce().has('dec-1'), 'a good decision went with a bad one');
      for (const decision of inForce.inForce().values())
        must(/^[A-Za-z0-9_-]{1,64}$/.test(decision.id), 'a decision has no sound id');
      must(told.size === 1 || unreadable + malformed > before, 'an entry is neither taken nor told of');
      await policies.delete('shop.orders');
      await new Promise((resolve) => setImmediate(resolve));
      must(told.size === 0, 'a policy stays that was deleted');
    },
    async close() {
      await watching.stop();
      await inForce.close();
      await bus.close();
    },
  };
}
