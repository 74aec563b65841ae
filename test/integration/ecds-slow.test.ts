/** Envoys that do not read, do not answer or keep asking: what waits for them is bounded, and nobody else waits. */
import { create } from '@bufbuild/protobuf';
import { type ClientDuplexStream, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '@picket/proto/gen/envoy/service/discovery/v3/discovery_pb.js';
import { extensionConfigDiscoveryService } from '@picket/proto/services/discovery.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { startEnvoy } from '../support/envoy.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { bootstrapFor, decision, fleetName, shopPolicies, type Stage, startStage, user } from './ecds-fixture.ts';

const { missing } = findTool('envoy');

describe.skipIf(missing !== undefined)(`slow Envoys${missing ? ` (${missing})` : ''}`, () => {
  const cleanups: (() => Promise<unknown> | void)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const start = async (options: Parameters<typeof startStage>[0]): Promise<Stage> => {
    const stage = await startStage(options);
    cleanups.push(() => stage.stop());
    return stage;
  };
  const decideAll = async (stage: Stage, prefix: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const one = decision({ id: `dec-${prefix}-${i}`, match: [user(`${prefix}-${i}`)] });
      await stage.decide(one);
      await expect.poll(() => stage.get('/orders/1', { 'x-user': `${prefix}-${i}` })).toBe(403);
    }
  };

  test('one that is frozen is let go, others are steered meanwhile, and it catches up when it wakes', async () => {
    const limits = { maxKeys: 100, maxConjunctions: 10, maxPrefixes: 10, maxHotKeys: 4, maxWarmKeys: 100 };
    const stage = await start({ fleet: { limits, answerPatienceMs: 800 } });
    const bootstrap = bootstrapFor(shopPolicies(), stage.fleet.port, 1, { bootstrap: { node: 'envoy-frozen' } });
    const frozen = await startEnvoy({ bootstrap });
    cleanups.push(() => frozen.stop());
    const stateOf = (): boolean | undefined => stage.fleet.envoys().find((e) => e.envoy === 'envoy-frozen')?.connected;
    await waitFor('both connected', () => (stateOf() ? true : undefined));
    frozen.process.signal('SIGSTOP');
    cleanups.push(() => frozen.process.signal('SIGCONT'));
    // More than the hot layer holds: it drains into the next one only when every connected Envoy has that.
    await decideAll(stage, 'meanwhile', 8);
    expect(stateOf()).toBe(false);
    frozen.process.signal('SIGCONT');
    await waitFor('the frozen one caught up', () =>
      stage.fleet.programmed('dec-meanwhile-7').programmedEnvoys === 2 ? true : undefined,
    );
  });

  test('peers that ask again and again and read nothing are hung up on', async () => {
    const hungUpOn = new Set<unknown>();
    const log = {
      ...silentLogger,
      warn: (_: string, fields?: Record<string, unknown>) => void hungUpOn.add(fields?.['envoy']),
    };
    const stage = await start({ fleet: { log } });
    for (let i = 0; i < 60; i++) await stage.decide(decision({ id: `dec-before-${i}`, match: [user(`before-${i}`)] }));
    await decideAll(stage, 'last', 1);
    const Client = makeGenericClientConstructor(extensionConfigDiscoveryService, 'ExtensionConfigDiscovery');
    for (let i = 0; i < 10; i++) {
      const client = new Client(`127.0.0.1:${stage.fleet.port}`, credentials.createInsecure());
      cleanups.push(() => client.close());
      const open = client['deltaExtensionConfigs'] as () => ClientDuplexStream<
        DeltaDiscoveryRequest,
        DeltaDiscoveryResponse
      >;
      const call = open.call(client);
      call.on('error', () => undefined);
      for (let n = 0; n < 600; n++)
        call.write(
          create(DeltaDiscoveryRequestSchema, {
            node: { id: `greedy-${i}`, cluster: fleetName },
            resourceNamesSubscribe: ['picket.decide.hot', 'picket.decide.warm'],
          }),
        );
    }
    await waitFor('all hung up on', () => (hungUpOn.size === 10 ? true : undefined));
    await decideAll(stage, 'after', 2);
    expect(await stage.get('/orders/1', { 'x-user': 'alice' })).toBe(200);
  });
});
