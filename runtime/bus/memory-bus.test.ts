import { expect, it } from 'vitest';
import { describeBus } from './bus-contract.ts';
import { createMemoryBus } from './memory-bus.ts';

describeBus('memory', async () => createMemoryBus());

it('refuses a key beyond the limit of a bucket and takes it when there is room again', async () => {
  const bus = createMemoryBus({ maxKeys: 2 });
  const bucket = await bus.bucket('small');
  await bucket.put('a', new Uint8Array());
  await bucket.put('b', new Uint8Array());
  await expect(bucket.put('c', new Uint8Array())).rejects.toMatchObject({ code: 'full', retriable: true });
  await bucket.put('a', new Uint8Array([1]));
  await bucket.delete('b');
  await bucket.put('c', new Uint8Array());
  await bus.close();
});

it('answers nothing once closed', async () => {
  const bus = createMemoryBus();
  const bucket = await bus.bucket('b');
  await bus.close();
  await expect(bucket.get('a')).rejects.toMatchObject({ code: 'unavailable', retriable: false });
  await expect(bus.publish('a.b', new Uint8Array())).rejects.toMatchObject({ code: 'unavailable' });
});
