/** Who leads, by a Lease on a real API server and clocks that the test moves: when the other may begin, and when it must not. */
import type { Clock } from '@picket/runtime/clock.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { holdLease, type LeaseHolder } from '@picket/runtime/objects/kubernetes/lease.ts';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { adminApi, createNamespace } from '../support/kubernetes.ts';
import { waitFor } from '../support/processes.ts';

const missing = inject('missing');
const namespace = 'lease';
const collection = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;

interface Lease {
  metadata: { name: string; resourceVersion: string };
  spec: { holderIdentity: string; leaseDurationSeconds: number; renewTime: string; leaseTransitions: number };
}

/** One of those who want to lead, with a clock of its own. */
interface Contender {
  holder: LeaseHolder;
  /** Lets its time go on. */
  pass(ms: number): void;
  /** Waits until it has looked at the Lease from beginning to end `n` times more. */
  looks(n: number): Promise<void>;
  /** From now on it reaches nobody. */
  cutOff(): void;
}

describe.skipIf(missing !== '')(missing || 'a Lease', () => {
  let admin: ApiServer;
  const holders: LeaseHolder[] = [];
  beforeAll(async () => {
    admin = adminApi(inject('kubeconfig'));
    await createNamespace(admin, namespace);
  });
  afterEach(async () => {
    for (const holder of holders.splice(0)) await holder.close();
  });
  afterAll(() => admin?.close());

  function contend(name: string, identity: string): Contender {
    let elapsed = 0;
    let begun = 0;
    let away = false;
    const clock: Clock = { now: () => Date.now(), elapsed: () => elapsed };
    const api: ApiServer = {
      ...admin,
      async request(method, path, options) {
        if (away) throw new PicketError('Unavailable', 'cut off');
        if (method === 'GET') begun++;
        return admin.request(method, path, options);
      },
    };
    const holder = holdLease({
      ...{ api, namespace, name, identity, clock, log: silentLogger },
      random: () => 0,
      onLeading: () => undefined,
    });
    holders.push(holder);
    return {
      holder,
      pass: (ms) => void (elapsed += ms),
      async looks(n) {
        // One that has begun another look has ended the one before.
        const until = begun + n + 1;
        await waitFor(`${identity} looks`, () => begun >= until || undefined);
      },
      cutOff: () => void (away = true),
    };
  }

  const read = (name: string): Promise<Lease> => admin.request<Lease>('GET', `${collection}/${name}`);

  test('is taken over once its holder has been silent for as long as it says, and not before', async () => {
    const first = contend('silent', 'first');
    await waitFor('the first leads', () => first.holder.isLeader() || undefined);
    first.cutOff();
    const { spec } = await read('silent');
    const durationMs = spec.leaseDurationSeconds * 1_000;
    // A takeover takes this and one more look, which is due every 1.5 s.
    expect(durationMs).toBeLessThanOrEqual(12_000);
    const second = contend('silent', 'second');
    await second.looks(1);
    second.pass(durationMs - 1);
    await second.looks(2);
    expect(second.holder.isLeader()).toBe(false);
    second.pass(1);
    await second.looks(1);
    expect(second.holder.isLeader()).toBe(true);
    const taken = await read('silent');
    expect(taken.spec).toMatchObject({ holderIdentity: 'second', leaseTransitions: spec.leaseTransitions + 1 });
  });

  test('is not taken from a holder who renews it, whatever its clock says', async () => {
    const first = contend('renewed', 'first');
    await waitFor('the first leads', () => first.holder.isLeader() || undefined);
    const second = contend('renewed', 'second');
    await second.looks(1);
    for (let round = 0; round < 3; round++) {
      const { metadata } = await read('renewed');
      await waitFor('a renewal', async () =>
        (await read('renewed')).metadata.resourceVersion === metadata.resourceVersion ? undefined : true,
      );
      await second.looks(2);
      // Less than the duration since the renewal, more than it in all.
      second.pass(8_000);
    }
    await second.looks(1);
    expect(second.holder.isLeader()).toBe(false);
    expect(first.holder.isLeader()).toBe(true);
  });

  test('makes a holder who cannot renew it stop before anybody else may begin', async () => {
    const only = contend('lonely', 'only');
    await waitFor('it leads', () => only.holder.isLeader() || undefined);
    only.cutOff();
    const { spec } = await read('lonely');
    // A write that is under way when it stops has the rest of the time.
    only.pass(spec.leaseDurationSeconds * 1_000 - 3_000);
    await waitFor('it stops', () => !only.holder.isLeader() || undefined);
    expect((await read('lonely')).spec.holderIdentity).toBe('only');
  });
});
