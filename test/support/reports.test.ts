import { expect, test } from 'vitest';
import { totalsOf } from './reports.ts';

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
  const broken = { ...report, success: false, testResults: [{ status: 'failed', assertionResults: [] }] };
  expect(totalsOf(broken).failed).toBe(1);
});

test('an error outside of any test is one failure', () => {
  expect(totalsOf({ ...report, success: false }).failed).toBe(1);
});

test('an empty suite is no failure', () => {
  const empty = { ...report, success: false, numPassedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  expect(totalsOf(empty).failed).toBe(0);
});
