/** `--csv DIR`: tables for spreadsheets, RFC 4180 with a header row. */
import type { AnalyzeResult } from './result.ts';

export interface CsvFile {
  name: 'operations.csv' | 'verdicts.csv' | 'findings.csv' | 'series.csv';
  content: string;
}

type Cell = string | number | null;

export function renderCsv(result: AnalyzeResult): CsvFile[] {
  const series = result.series;
  return [
    table(
      'operations.csv',
      'api method template count perSecond errorRatio serverErrorRatio p50Ms p95Ms p99Ms responseBytes',
      result.operations.map((o) => [
        o.api,
        o.method,
        o.template,
        o.count,
        o.perSecond,
        o.errorRatio,
        o.serverErrorRatio,
        o.p50Ms,
        o.p95Ms,
        o.p99Ms,
        o.responseBytes,
      ]),
    ),
    table(
      'verdicts.csv',
      'name api kind value pseudonym score level confidence firstSeen lastSeen requests action reasons benignIf',
      result.verdicts.map((v) => [
        v.name,
        v.api,
        v.principal.kind,
        v.principal.value,
        v.principal.pseudonym,
        v.score,
        v.level,
        v.confidence,
        v.firstSeen,
        v.lastSeen,
        v.requests,
        v.decision?.action ?? null,
        v.findings.map((f) => f.words).join('; '),
        v.benignIf,
      ]),
    ),
    table(
      'findings.csv',
      'verdict detector since until observed expected unit pValue share',
      result.verdicts.flatMap((v) =>
        v.findings.map((f) => [
          v.name,
          f.detector,
          f.since,
          f.until,
          f.observed,
          f.expected,
          f.unit,
          f.pValue,
          f.share,
        ]),
      ),
    ),
    table(
      'series.csv',
      'at widthMs requests errors serverErrors responseBytes p50Ms p95Ms p99Ms risk atRisk',
      series.at.map((at, i) => [
        at,
        series.widthMs,
        series.requests[i] ?? 0,
        series.errors[i] ?? 0,
        series.serverErrors[i] ?? 0,
        series.responseBytes[i] ?? 0,
        series.p50Ms[i] ?? null,
        series.p95Ms[i] ?? null,
        series.p99Ms[i] ?? null,
        series.risk[i] ?? 0,
        series.atRisk[i] ?? 0,
      ]),
    ),
  ];
}

function table(name: CsvFile['name'], header: string, rows: Cell[][]): CsvFile {
  const lines = [header.split(' ').join(','), ...rows.map((row) => row.map(cell).join(','))];
  return { name, content: `${lines.join('\r\n')}\r\n` };
}

/** Text that a spreadsheet would run as a formula gets a leading apostrophe (OWASP, "CSV Injection"). */
function cell(value: Cell): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
