/** `--api`: the part of a result that is about one API. */
import type { AnalyzeResult } from './result.ts';

/**
 * Operations, verdicts and spikes of the API with this name (`<namespace>/<name>` or the name alone) or host. Totals,
 * series and forecast stay those of all that was read. `undefined` when there is no such API.
 */
export function onlyApi(result: AnalyzeResult, wanted: string): AnalyzeResult | undefined {
  const apis = result.apis.filter(
    (a) => a.name === wanted || a.name.endsWith(`/${wanted}`) || a.hosts.includes(wanted.toLowerCase()),
  );
  if (apis.length === 0) return undefined;
  const names = new Set(apis.map((a) => a.name));
  return {
    ...result,
    apis,
    operations: result.operations.filter((o) => names.has(o.api)),
    verdicts: result.verdicts.filter((v) => names.has(v.api)),
    spikes: result.spikes.filter((s) => names.has(s.api)),
    notes: [...result.notes, `Only ${wanted}: totals, charts and forecast are of all that was read.`],
  };
}
