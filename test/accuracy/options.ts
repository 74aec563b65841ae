import { parseArgs } from 'node:util';
import { reportingSeeds, tuningSeeds } from './seeds.ts';

export type Part = 'attacks' | 'traps' | 'benign';

export interface AccuracyOptions {
  seeds: readonly string[];
  parts: ReadonlySet<Part>;
  family?: string;
  /** Files of earlier runs to report on instead of running. */
  from: readonly string[];
  /** Machine-readable results, written step by step; a run goes on from what is in it. */
  out?: string;
  /** Writes the generated section of docs/accuracy.md. */
  docs: boolean;
  /** People and days of the runs that count false alerts. */
  people: number;
  days: number;
}

/** @throws TypeError for a flag that is none. */
export function parseOptions(args: string[]): AccuracyOptions {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      tune: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
      out: { type: 'string' },
      from: { type: 'string', multiple: true },
      family: { type: 'string' },
      part: { type: 'string', multiple: true },
      seeds: { type: 'string' },
      seed: { type: 'string', multiple: true },
      people: { type: 'string' },
      days: { type: 'string' },
    },
  });
  const all = values.tune ? tuningSeeds : reportingSeeds;
  const count = Number(values.seeds ?? (values.quick ? 1 : all.length));
  const parts = values.part ?? (values.family === undefined ? ['attacks', 'traps', 'benign'] : ['attacks']);
  return {
    seeds: values.seed ?? all.slice(0, count),
    parts: new Set(parts as Part[]),
    ...(values.family === undefined ? {} : { family: values.family }),
    ...(values.out === undefined ? {} : { out: values.out }),
    from: values.from ?? [],
    docs: values.docs,
    people: Number(values.people ?? (values.quick ? 1500 : 6000)),
    days: Number(values.days ?? (values.quick ? 1 : 4)),
  };
}
