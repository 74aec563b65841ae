/** Sums the JSON reports that vitest writes, one file per suite. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of vitest's JSON report that is read. */
interface Report {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; assertionResults: unknown[] }[];
}

/**
 * Totals of one report. A file that could not be loaded has no tests to count, so it counts as one failure, and so
 * does a run that failed outside of any test (an unhandled error).
 */
export function totalsOf(report: Report): Totals {
  const unloadable = report.testResults.filter((f) => f.status === 'failed' && f.assertionResults.length === 0).length;
  const failed = report.numFailedTests + unloadable;
  const tests = report.numPassedTests + failed + report.numPendingTests + report.numTodoTests;
  return {
    passed: report.numPassedTests,
    // Vitest calls an empty run unsuccessful; an empty suite is not a failure.
    failed: failed === 0 && !report.success && tests > 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** Totals over every `*.json` in `folder`; an unreadable report counts as one failure. */
export function sumReports(folder: string): Totals {
  const sum: Totals = { passed: 0, failed: 0, skipped: 0 };
  if (!existsSync(folder)) return sum;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const totals = readReport(join(folder, file));
    sum.passed += totals.passed;
    sum.failed += totals.failed;
    sum.skipped += totals.skipped;
  }
  return sum;
}

/** Totals of one report file; a missing or unreadable one counts as one failure. */
export function readReport(path: string): Totals {
  try {
    return totalsOf(JSON.parse(readFileSync(path, 'utf8')) as Report);
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
