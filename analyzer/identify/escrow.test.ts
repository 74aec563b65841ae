import { expect, test } from 'vitest';
import { createEscrow, type EscrowedValue } from './escrow.ts';
import { createGenerationMap } from './generation-map.ts';
import { ValueKind } from './pseudonym.ts';

const texts = ['10.0.0.1', 'naïve\u00ff', '', 'ключ', 'lone \ud800', 'x'.repeat(300)];
const manners = ['none', 'value', 'prefix'] as const;

test('holds and forgets what a generation map of the same values does', () => {
  let state = 3;
  const random = (below: number): number => (state = (Math.imul(state, 0x915f77f5) + 0x6d2b79f5) >>> 0) % below;
  const escrow = createEscrow({ capacityPerKind: 40 });
  const model = createGenerationMap<number, EscrowedValue>(40);
  for (let step = 0; step < 20_000; step++) {
    const lo = random(160);
    const hi = lo * 7;
    const known = model.get(lo);
    escrow.touch(ValueKind.User, lo, hi);
    if (random(3) === 0) {
      // A value is always the same text: lengths differ by key, so generations end by number alone.
      const value = texts[lo % 5] as string;
      const [verified, matchAs] = [random(2) === 0, manners[random(3)] as EscrowedValue['matchAs']];
      escrow.put(ValueKind.User, lo, hi, value, verified, matchAs);
      if (known === undefined) model.set(lo, { value, verified, matchAs });
      else {
        known.verified ||= verified;
        if (matchAs !== 'none') known.matchAs = matchAs;
      }
    } else if (random(20) === 0) {
      escrow.erase(ValueKind.User, lo, hi);
      model.delete(lo);
    }
    expect(escrow.reveal(ValueKind.User, lo, hi)).toEqual(model.get(lo));
    expect(escrow.generation(ValueKind.User)).toBe(model.generation());
  }
  expect(model.generation()).toBeGreaterThan(50);
  expect(escrow.touch(ValueKind.Address, 1, 7)).toBe(false);
});

test('long values, and one that is told anew all the time, end a generation early', () => {
  const escrow = createEscrow({ capacityPerKind: 100 });
  for (let i = 0; i < 90; i++) escrow.put(ValueKind.User, i, 1, texts[5] as string, false, 'value');
  expect(escrow.generation(ValueKind.User)).toBeGreaterThan(2);
  const before = escrow.generation(ValueKind.Token);
  for (let i = 0; i < 10_000; i++) escrow.put(ValueKind.Token, 1, 1, `prefix ${i}`, false, 'prefix');
  expect(escrow.generation(ValueKind.Token)).toBeGreaterThan(before);
  expect(escrow.reveal(ValueKind.Token, 1, 1)?.value).toBe('prefix 9999');
});
