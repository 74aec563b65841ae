/** A CPU profile of the analyzer as shares of its stages. */
import type { Profiler } from 'node:inspector';

export type StageShares = Record<string, number>;

/** First match wins. Code that the compiler inlined counts for the file it was inlined into. */
const stages: readonly [RegExp, string][] = [
  [/analyzer\/ingest\/als-(server|queue|envelope)\.ts|@grpc\/|node:(internal\/)?(http2|net|stream|streams)/, 'grpc'],
  [/analyzer\/ingest\//, 'decode'],
  [/analyzer\/(identify\/|intake\.ts)/, 'identify'],
  [/analyzer\/operations\//, 'resolve'],
  [/analyzer\/(engine|profile)\//, 'profile'],
  [/analyzer\/detect\//, 'detect'],
  [/analyzer\/(decide|score)\/|analyzer\/(analysis|api-figures|tick-loop|analyzer)\.ts/, 'decide'],
  [/analyzer\/publish\/|runtime\/(objects|bus|state-file)/, 'publish'],
  [/analyzer\/store\/(observation-row|row-bytes|pending-batch)\.ts/, 'encode'],
  [/analyzer\/store\/|@clickhouse\/|node:_?http|node:internal\/http/, 'store'],
  [/analyzer\/replay\//, 'checkpoint'],
  [/test\/bench\/|node:inspector/, 'bench'],
];

/** Time on the core by stage, 0..1; waiting and the measuring itself are left out. What has no file of its own counts for whoever called it. */
export function stageShares(profile: Profiler.Profile): StageShares {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const stageOf = new Map<number, string>();
  const find = (id: number): string => {
    const known = stageOf.get(id);
    if (known !== undefined) return known;
    const { url, functionName } = nodes.get(id)?.callFrame ?? { url: '', functionName: '' };
    const parent = parents.get(id);
    const stage =
      functionName === '(garbage collector)'
        ? 'garbage'
        : functionName === '(idle)'
          ? 'idle'
          : (stages.find(([pattern]) => pattern.test(url))?.[1] ?? (parent === undefined ? 'other' : find(parent)));
    stageOf.set(id, stage);
    return stage;
  };
  const time = new Map<string, number>();
  let total = 0;
  profile.samples?.forEach((id, i) => {
    const stage = find(id);
    if (stage === 'idle' || stage === 'bench') return;
    const took = profile.timeDeltas?.[i] ?? 0;
    total += took;
    time.set(stage, (time.get(stage) ?? 0) + took);
  });
  return Object.fromEntries(
    [...time].sort((a, b) => b[1] - a[1]).map(([stage, took]) => [stage, Number((took / total).toFixed(3))]),
  );
}
