/** What every `Bus` must do, as tests that are run over each of them. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Bus, BusError } from './bus.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

/** Follows a bucket and keeps what it was told. */
export async function watchBucket(bus: Bus, name: string) {
  const present = new Map<string, string>();
  const heard: string[] = [];
  const bucket = await bus.bucket(name);
  const subscription = await bucket.watch({
    onEntry(key, value) {
      heard.push(value === undefined ? `-${key}` : `+${key}=${text(value)}`);
      if (value === undefined) present.delete(key);
      else present.set(key, text(value) ?? '');
    },
    onSynced: () => heard.push('synced'),
  });
  return { bucket, present, heard, subscription };
}

export const eventually = <T>(check: () => T, timeoutMs = 10_000): Promise<T> =>
  vi.waitFor(check, { timeout: timeoutMs, interval: 20 });

/** `open` gives a bus over a place that nothing else uses; `name` makes subjects and buckets of each test its own. */
export function describeBus(kind: string, open: () => Promise<Bus>): void {
  describe(`${kind} bus`, () => {
    let bus: Bus;
    let name: string;
    let number = 0;
    beforeEach(async () => {
      bus = await open();
      name = `contract_${++number}`;
    });
    afterEach(() => bus.close());

    it('hands an event to every subscriber whose subject matches, in the order of publishing', async () => {
      const all: string[] = [];
      const one: string[] = [];
      const other: string[] = [];
      await bus.subscribe(`picket.v1.verdict.${name}.>`, (subject, payload) => all.push(`${subject}:${text(payload)}`));
      await bus.subscribe(`picket.v1.verdict.${name}.*.a`, (_, payload) => one.push(text(payload) ?? ''));
      await bus.subscribe(`picket.v1.finding.${name}.>`, (_, payload) => other.push(text(payload) ?? ''));
      for (let i = 0; i < 50; i++) {
        await bus.publish(`picket.v1.verdict.${name}.shop.${i % 2 ? 'a' : 'b'}`, bytes(String(i)));
      }
      await eventually(() => expect(all).toHaveLength(50));
      expect(all[3]).toBe(`picket.v1.verdict.${name}.shop.a:3`);
      expect(all.map((entry) => Number(entry.split(':')[1]))).toEqual(Array.from({ length: 50 }, (_, i) => i));
      await eventually(() => expect(one).toHaveLength(25));
      expect(other).toEqual([]);
    });

    it('applies an event that is published twice with one message id once', async () => {
      const heard: string[] = [];
      await bus.subscribe(`picket.v1.decision.${name}`, (_, payload) => heard.push(text(payload) ?? ''));
      await bus.publish(`picket.v1.decision.${name}`, bytes('first'), { messageId: `${name}-1` });
      await bus.publish(`picket.v1.decision.${name}`, bytes('first'), { messageId: `${name}-1` });
      await bus.publish(`picket.v1.decision.${name}`, bytes('last'), { messageId: `${name}-2` });
      await eventually(() => expect(heard).toContain('last'));
      expect(heard).toEqual(['first', 'last']);
    });

    it('hands over nothing from before the subscription or after its stop', async () => {
      const heard: string[] = [];
      await bus.publish(`picket.v1.loss.${name}`, bytes('before'));
      const subscription = await bus.subscribe(`picket.v1.loss.${name}`, (_, payload) =>
        heard.push(text(payload) ?? ''),
      );
      await bus.publish(`picket.v1.loss.${name}`, bytes('during'));
      await eventually(() => expect(heard).toEqual(['during']));
      await subscription.stop();
      await bus.publish(`picket.v1.loss.${name}`, bytes('after'));
      const marker: string[] = [];
      await bus.subscribe(`picket.v1.loss.${name}`, (_, payload) => marker.push(text(payload) ?? ''));
      await bus.publish(`picket.v1.loss.${name}`, bytes('marker'));
      await eventually(() => expect(marker).toEqual(['marker']));
      expect(heard).toEqual(['during']);
    });

    it('keeps the last value per key', async () => {
      const bucket = await bus.bucket(name);
      expect(await bucket.get('shop.orders')).toBeUndefined();
      await bucket.put('shop.orders', bytes('1'));
      await bucket.put('shop.orders', bytes('2'));
      await bucket.put('shop.cart', new Uint8Array());
      expect(text(await bucket.get('shop.orders'))).toBe('2');
      expect(text(await bucket.get('shop.cart'))).toBe('');
      await bucket.delete('shop.orders');
      expect(await bucket.get('shop.orders')).toBeUndefined();
      await bucket.delete('shop.never-there');
    });

    it('tells a watcher what is present, that it is all, and then each change in order', async () => {
      const bucket = await bus.bucket(name);
      await bucket.put('b', bytes('1'));
      await bucket.put('a', bytes('1'));
      await bucket.put('gone', bytes('1'));
      await bucket.delete('gone');
      const { heard, present, subscription } = await watchBucket(bus, name);
      await eventually(() => expect(heard).toContain('synced'));
      expect(heard.indexOf('synced')).toBe(2);
      await bucket.put('a', bytes('2'));
      await bucket.delete('b');
      await bucket.put('c', bytes('1'));
      await eventually(() => expect(heard).toEqual([...heard.slice(0, 3), '+a=2', '-b', '+c=1']));
      expect(Object.fromEntries(present)).toEqual({ a: '2', c: '1' });
      await subscription.stop();
    });

    it('tells a watcher of an empty bucket at once that it has seen all', async () => {
      const { heard } = await watchBucket(bus, name);
      await eventually(() => expect(heard).toEqual(['synced']));
    });

    it('lets a value vanish after its time to live and tells the watcher', async () => {
      const { bucket, heard } = await watchBucket(bus, name);
      await bucket.put('short', bytes('1'), { ttlMs: 1000 });
      await bucket.put('long', bytes('1'), { ttlMs: 3_600_000 });
      expect(text(await bucket.get('short'))).toBe('1');
      await eventually(() => expect(heard).toContain('-short'));
      expect(await bucket.get('short')).toBeUndefined();
      expect(text(await bucket.get('long'))).toBe('1');
    });

    it('does not let a value that was put again vanish with the time to live of the one before', async () => {
      const { bucket, heard } = await watchBucket(bus, name);
      await bucket.put('kept', bytes('1'), { ttlMs: 1000 });
      await bucket.put('kept', bytes('2'));
      await bucket.put('short', bytes('1'), { ttlMs: 1000 });
      await eventually(() => expect(heard).toContain('-short'));
      expect(text(await bucket.get('kept'))).toBe('2');
    });

    it('gives each watcher its own copy of the truth when several watch', async () => {
      const first = await watchBucket(bus, name);
      await first.bucket.put('a', bytes('1'));
      const second = await watchBucket(bus, name);
      await first.subscription.stop();
      await first.bucket.put('b', bytes('1'));
      await eventually(() => expect(Object.fromEntries(second.present)).toEqual({ a: '1', b: '1' }));
    });

    it.each([
      ['a key with a space', (b: Bus) => b.bucket(name).then((bucket) => bucket.put('a b', bytes('1')))],
      ['a key with an empty part', (b: Bus) => b.bucket(name).then((bucket) => bucket.get('a..b'))],
      ['a bucket name with a dot', (b: Bus) => b.bucket('a.b')],
      ['a wildcard in a published subject', (b: Bus) => b.publish('picket.v1.verdict.*', bytes('1'))],
      ['an empty subject', (b: Bus) => b.subscribe('', () => {})],
    ])('refuses %s', async (_, call) => {
      await expect(call(bus)).rejects.toBeInstanceOf(BusError);
    });
  });
}
