import { Option } from 'commander';
import { toolCommand, wholeNumber } from '../support/tool-command.ts';
import { cells } from './families.ts';
import { reportingSeeds, tuningSeeds } from './seeds.ts';

const partNames = ['attacks', 'traps', 'benign'] as const;
export type Part = (typeof partNames)[number];

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

/** A wrong call ends the program with code 2. */
export function parseOptions(): AccuracyOptions {
  const families = [...new Set(cells.map(({ family }) => family))];
  const values = toolCommand(
    'npm run accuracy --',
    'What Picket finds, and what it says of the innocent, on labelled traffic at event time.',
  )
    .option('--quick', 'one seed, 1,500 people for one day')
    .option('--tune', 'with the seeds for tuning, not those for reporting')
    .addOption(new Option('--part <name...>', 'what to run, all of it unless told').choices(partNames))
    .addOption(new Option('--family <name>', 'attacks of this family only').choices(families))
    .option('--seeds <n>', 'how many of the seeds', wholeNumber)
    .option('--seed <text...>', 'seeds of your own')
    .option('--people <n>', 'people of the runs that count false alerts', wholeNumber)
    .option('--days <n>', 'days of those runs', wholeNumber)
    .option('--from <file...>', 'report on earlier runs instead of running')
    .option('--out <file>', 'write results as JSON, step by step; a run goes on from what is in it')
    .option('--docs', 'write the generated section of docs/accuracy.md')
    .parse()
    .opts<Values>();
  const all = values.tune ? tuningSeeds : reportingSeeds;
  const parts = values.part ?? (values.family === undefined ? partNames : ['attacks' as const]);
  return {
    seeds: values.seed ?? all.slice(0, values.seeds ?? (values.quick ? 1 : all.length)),
    parts: new Set(parts),
    ...(values.family === undefined ? {} : { family: values.family }),
    ...(values.out === undefined ? {} : { out: values.out }),
    from: values.from ?? [],
    docs: values.docs === true,
    people: values.people ?? (values.quick ? 1500 : 6000),
    days: values.days ?? (values.quick ? 1 : 4),
  };
}

interface Values {
  quick?: boolean;
  tune?: boolean;
  part?: Part[];
  family?: string;
  seeds?: number;
  seed?: string[];
  people?: number;
  days?: number;
  from?: string[];
  out?: string;
  docs?: boolean;
}
