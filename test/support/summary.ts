/** Prints `N passed, N failed, N skipped` over the reports in a folder; exit code 1 unless something ran and all of it passed. */
import { sumReports } from './reports.ts';

const folder = process.argv[2] ?? '.tools/reports';
const { passed, failed, skipped } = sumReports(folder);
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
