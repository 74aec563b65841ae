/** What a person said of a verdict takes effect once, however often Picket starts. */
import { expect, it } from 'vitest';
import type { Checkpoint, Checkpoints } from '@picket/analyzer/replay/checkpoint.ts';
import { type AnalyzerStage, startAnalyzerStage } from '../support/analyzer-stage.ts';
import { waitFor } from '../support/processes.ts';

/** In memory, so that it outlives a stage. */
function keep(): Checkpoints {
  let kept: Checkpoint | undefined;
  return {
    async save(checkpoint) {
      kept = structuredClone(checkpoint);
      const { lastSeq, tick, at } = checkpoint.analysis.engine;
      return { file: '', lastSeq, tick, at };
    },
    async latest(use) {
      if (kept) await use(structuredClone(kept));
      return { checkpoint: kept, setAside: [] };
    },
    list: async () => [],
    read: () => Promise.reject(new Error('in memory')),
  };
}

const reviewsOf = (stage: AnalyzerStage): number =>
  (stage.double.rows.get('inputs') ?? []).filter((row) => row.includes('FalsePositive')).length;
const policiesOf = (stage: AnalyzerStage): number =>
  (stage.double.rows.get('inputs') ?? []).filter((row) => row.includes('"policy"')).length;

it('is not applied again by a restart, and is again when the verdict is a new one', async () => {
  const checkpoints = keep();
  let stage = await startAnalyzerStage({}, { checkpoints });
  stage.analyzer.review('shop-address-0123456789', 'FalsePositive');
  await waitFor('the review applied', () => (reviewsOf(stage) === 1 ? true : undefined));
  await stage.close();

  stage = await startAnalyzerStage({}, { checkpoints });
  try {
    stage.analyzer.review('shop-address-0123456789', 'FalsePositive');
    await waitFor('the policy applied', () => (policiesOf(stage) > 0 ? true : undefined));
    expect(reviewsOf(stage)).toBe(0);
    stage.analyzer.forgetReview('shop-address-0123456789');
    stage.analyzer.review('shop-address-0123456789', 'FalsePositive');
    await waitFor('the new review applied', () => (reviewsOf(stage) === 1 ? true : undefined));
  } finally {
    await stage.close();
  }
});
