/** Sums the JSON reports that vitest writes, one file per suite. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

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
  testResults: {
    name: string;
    status: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
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

/** File and name of every test that failed, and of every file that could not be loaded. */
export function failuresOf(report: Report): string[] {
  return report.testResults.flatMap(({ name, status, assertionResults }) => {
    const file = relative(process.cwd(), name);
    if (assertionResults.length === 0) return status === 'failed' ? [file] : [];
    return assertionResults.filter((t) => t.status === 'failed').map(({ fullName }) => `${file} > ${fullName}`);
  });
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

/** Totals of one report file and what failed in it; a missing or unreadable one counts as one failure. */
export function readReport(path: string): Totals & { failures: string[] } {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
    return { ...totalsOf(report), failures: failuresOf(report) };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: [`${path} was not written`] };
  }
}
