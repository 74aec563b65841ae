/** `--json`: the result as it is; see `docs/reference/analyze-json.md`. */
import type { AnalyzeResult } from './result.ts';

export function renderJson(result: AnalyzeResult): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}
