/** Invariant 2 at every border: no bytes from outside throw, stall, or go uncounted. `npm run fuzz` is the long form. */
import { describe, expect, it } from 'vitest';
import { fuzz } from '../fuzz/fuzz.ts';
import { shareOf, targetNames, targets } from '../fuzz/targets.ts';

/** In all; each parser gets its share. */
const inputs = 30_000;
const seed = 20_260_701;

describe.each(targetNames)('%s', (name) => {
  it('keeps its promises whatever the bytes', async () => {
    const target = await targets(name);
    try {
      const report = await fuzz(target, { seed, inputs: Math.ceil(inputs * shareOf(name)) });
      const told = report.findings.map(
        ({ index, error }) =>
          `${error.message}: npm run fuzz -- --only ${name} --seed ${seed} --from ${index} --inputs 1`,
      );
      expect(told).toEqual([]);
      expect(report.inputs).toBeGreaterThanOrEqual(target.seeds.length);
    } finally {
      await target.close?.();
    }
  });
});
