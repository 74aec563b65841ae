import { describe, expect, it } from 'vitest';
import { type Bucket, BusError } from '@picket/runtime/bus/bus.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { createDecisionSender } from './decision-sender.ts';

const never = Number.MAX_SAFE_INTEGER;
const value = (n: number): Uint8Array => new Uint8Array([n]);

function open() {
  const held = new Map<string, number>();
  const gates: (() => void)[] = [];
  const state = { down: false, slow: false, held, gates };
  const act = async (change: () => void): Promise<void> => {
    if (state.slow) await new Promise<void>((resolve) => gates.push(resolve));
    if (state.down) throw new BusError('unavailable', 'down', true);
    change();
  };
  const bucket: Pick<Bucket, 'put' | 'delete'> = {
    put: (key, bytes) => act(() => void held.set(key, bytes[0] ?? 0)),
    delete: (key) => act(() => void held.delete(key)),
  };
  const ledger = createLedger();
  const sender = createDecisionSender({
    bucket: bucket as Bucket,
    clock: { now: () => 1000, elapsed: () => 0 },
    ledger,
    log: silentLogger,
    retryAfterMs: 5,
  });
  return { state, sender, ledger };
}

async function until(met: () => boolean): Promise<void> {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('sending decisions', () => {
  it('tries again what the bus refused, latest wins', async () => {
    const { state, sender, ledger } = open();
    state.down = true;
    sender.send('a', value(1), never);
    sender.send('b', value(1), never);
    await new Promise((resolve) => setTimeout(resolve, 12));
    sender.send('a', value(2), never);
    sender.send('b', undefined, never);
    state.down = false;
    await until(() => state.held.get('a') === 2);
    await sender.close();
    expect([...state.held]).toEqual([['a', 2]]);
    expect(ledger.snapshot().dropped).toBe(0);
  });

  it('never lets a slow write overtake the next one of its key', async () => {
    const { state, sender } = open();
    state.slow = true;
    sender.send('a', undefined, never);
    sender.send('a', value(1), never);
    await until(() => state.gates.length === 1);
    state.slow = false;
    state.gates[0]?.();
    await sender.close();
    expect(state.held.get('a')).toBe(1);
  });

  it('does not put into force what has expired meanwhile', async () => {
    const { state, sender } = open();
    sender.send('a', value(1), 900);
    await sender.close();
    expect(state.held.size).toBe(0);
  });
});
