/** Invariant 9: an attacker's own identities, however many and however well behaved, do not raise what may be acted on. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Analysis } from '@picket/analyzer/analysis.ts';
import { Action, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Described } from '../support/observation-builder.ts';
import { dayStart, play, traffic } from './traffic.ts';

const open: Analysis[] = [];
afterEach(async () => {
  for (const analysis of open.splice(0)) await analysis.close();
});

const hourMs = 3_600_000;
const from = dayStart + 26 * hourMs;

/** So many addresses that do nothing wrong, for as long as it takes to be counted. */
function* fresh(count: number): Iterable<Described> {
  for (let i = 0; i < 3 * count; i++)
    yield {
      at: from + (i / count) * 40_000,
      address: `10.${(i % count) >> 8}.${(i % count) & 255}.1`,
      userAgent: 'browser-1',
      operation: 'product',
      path: '/p/1',
    };
}

function* guilty(count: number): Iterable<Described> {
  for (let i = 0; i < 25 * count; i++)
    yield {
      at: from + 4 * 60_000 + i * 10,
      address: `172.16.${i % count}.1`,
      userAgent: `tool-${i % count}`,
      path: '/login',
      account: `leak-${i}`,
      login: 'failure',
    };
}

async function denials(dilution: number): Promise<number> {
  const observations = [...traffic(4, { ordinary: 4000, attacks: false }), ...fresh(dilution), ...guilty(120)];
  const { analysis, outcomes } = await play(0, observations);
  open.push(analysis);
  return outcomes
    .flatMap((o) => o.decisions)
    .filter(
      (d) => d.event === 'decided' && d.decision.kind === PrincipalKind.ADDRESS && d.decision.action === Action.DENY,
    ).length;
}

describe('shares of principals in good standing', () => {
  it('are not diluted by fresh identities', async () => {
    const undiluted = await denials(0);
    expect(undiluted).toBeGreaterThan(20);
    expect(undiluted).toBeLessThan(120);
    expect(await denials(20_000)).toBe(undiluted);
  });
});
