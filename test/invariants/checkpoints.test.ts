/** Checkpoints that do not fit: a restart goes on with what it can use, and says what it could not. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAnalysis } from '@picket/analyzer/analysis.ts';
import { type Checkpoint, createCheckpoints } from '@picket/analyzer/replay/checkpoint.ts';
import { restore } from '@picket/analyzer/replay/restore.ts';
import type { Store } from '@picket/analyzer/store/store.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { play, traffic, values } from './traffic.ts';

/** Nothing was stored since. */
const emptyStore = {
  extent: async () => ({ firstSeq: 0, lastSeq: Number.MAX_SAFE_INTEGER, observations: 0 }),
  readGaps: async () => [],
  readInputs: async () => [],
  readTicks: async function* () {},
  readObservations: async function* () {},
  told: async () => ({ findingTick: 0, verdictTick: 0, decisionAt: 0 }),
} as unknown as Store;

describe('checkpoints', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'picket-checkpoints-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function save(ticks: number, change: (checkpoint: Checkpoint) => void = () => {}): Promise<number> {
    const { analysis } = await play(0, traffic(7, { ordinary: 300, attacks: false }).slice(0, ticks));
    const state = await analysis.save();
    const checkpoint: Checkpoint = {
      analysis: state,
      operations: { version: 1, apis: {}, aliases: [] },
      identifier: { version: 1, learners: [], steps: [] },
      learnedUpTo: 0,
      counts: [],
      reviewed: [],
    };
    change(checkpoint);
    await createCheckpoints(folder, '24').save(checkpoint);
    // Copies of all tables are not kept until somebody collects garbage.
    expect(state.engine.partitions.every(([, { principals }]) => principals.slots.length === 0)).toBe(true);
    await analysis.close();
    return state.engine.tick;
  }

  it('goes back to an older one when the newest does not fit, and sets that aside with the reason', async () => {
    const older = await save(50);
    await save(100, ({ analysis }) => {
      const [, partition] = analysis.engine.partitions[40] as (typeof analysis.engine.partitions)[number];
      partition.principals.words += 2;
    });
    const errors: unknown[] = [];
    const { analysis, restored } = await restore({
      create: () => createAnalysis({ workers: 0, valuesOf: () => values }),
      checkpoints: createCheckpoints(folder, '24'),
      store: emptyStore,
      clock: systemClock,
      log: { ...silentLogger, error: (message, fields) => errors.push([message, fields]) },
      onCheckpoint() {},
      onOutcome() {},
      onObservation() {},
      onUnread() {},
    });
    expect(restored.fromCheckpoint).toBe(true);
    expect(analysis.engine.tick).toBe(older);
    expect(JSON.stringify(errors)).toContain('slab state has');
    expect(readdirSync(folder).filter((name) => name.endsWith('.unreadable'))).toHaveLength(1);
    await analysis.close();
  });

  it('say of verdicts after a restart what was said before', async () => {
    const { analysis } = await play(0, traffic(3));
    const before = analysis.verdicts();
    expect(before.length).toBeGreaterThan(3);
    expect(before.some((v) => v.requestIds.length > 0)).toBe(true);
    const state = structuredClone(await analysis.save());
    await analysis.close();
    const restarted = createAnalysis({ workers: 0, valuesOf: () => values });
    await restarted.load(state);
    expect(restarted.verdicts()).toEqual(before);
    await restarted.close();
  });
});
