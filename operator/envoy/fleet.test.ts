import { create } from '@bufbuild/protobuf';
import { layerNames } from '@picket/proto/enforcement-metadata.ts';
import { CompiledPolicySchema, ExemptionSchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { expect, test } from 'vitest';
import { startFleet } from './fleet.ts';

test('an exemption ends although its timer was early', async () => {
  const endsAt = Date.now() + 300;
  let early = true;
  let pushes = 0;
  const fleet = await startFleet({
    ...{ fleet: 'shop', replica: '', ttlMs: 60_000, ja4: false, log: silentLogger, bus: createMemoryBus() },
    listen: { host: '127.0.0.1', port: 0 },
    // The last millisecond lasts until the layers were rendered once more.
    clock: { ...systemClock, now: () => Math.min(Date.now(), early ? endsAt - 1 : Number.POSITIVE_INFINITY) },
    metrics: {
      pushed(resource) {
        if (resource !== layerNames.at(-1) || Date.now() < endsAt - 1) return;
        pushes++;
        early = false;
      },
      ...{ accepted() {}, refused() {}, held() {}, malformedDecision() {} },
    },
    onChange() {},
  });
  const exemptions = [create(ExemptionSchema, { name: 'shop/test', expiresAtMs: BigInt(endsAt) })];
  fleet.setPolicies([create(CompiledPolicySchema, { api: 'shop/shop', apiUid: 'u', exemptions })]);
  await expect.poll(() => pushes, { timeout: 20_000 }).toBe(2);
  await fleet.close();
});
