import { join } from 'node:path';
import { expect, test } from 'vitest';
import { failuresOf, totalsOf } from './reports.ts';

const report = {
  success: true,
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [],
};

test('counts pending and todo tests as skipped', () => {
  expect(totalsOf(report)).toEqual({ passed: 3, failed: 0, skipped: 2 });
});

test('a file that could not be loaded is one failure', () => {
  const broken = { ...report, success: false, testResults: [{ name: '', status: 'failed', assertionResults: [] }] };
  expect(totalsOf(broken).failed).toBe(1);
});

test('an error outside of any test is one failure', () => {
  expect(totalsOf({ ...report, success: false }).failed).toBe(1);
});

test('an empty suite is no failure', () => {
  const empty = { ...report, success: false, numPassedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  expect(totalsOf(empty).failed).toBe(0);
});

test('what failed is named by its file', () => {
  const name = join(process.cwd(), 'test/e2e/some.test.ts');
  const assertionResults = [
    { status: 'passed', fullName: 'starts' },
    { status: 'failed', fullName: 'ends well' },
  ];
  const testResults = [
    { name, status: 'failed', assertionResults },
    { name: join(process.cwd(), 'broken.test.ts'), status: 'failed', assertionResults: [] },
  ];
  expect(failuresOf({ ...report, testResults })).toEqual(['test/e2e/some.test.ts > ends well', 'broken.test.ts']);
});
