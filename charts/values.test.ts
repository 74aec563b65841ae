import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { expect, it } from 'vitest';
import { metricCatalogue } from '@picket/runtime/metric-catalogue.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const check = new Ajv({ allErrors: true }).compile(JSON.parse(read('picket/values.schema.json')));

it('takes its own defaults', () => {
  expect(check(parse(read('picket/values.yaml'))), JSON.stringify(check.errors)).toBe(true);
});

it.each([
  ['a typo', { analyser: {} }],
  ['a typo further down', { operator: { replica: 2 } }],
  ['a second analyzer', { analyzer: { replicas: 2 } }],
  ['a mode that is none', { tls: { mode: 'None' } }],
  ['a size without meaning', { nats: { persistence: { size: '10 GB' } } }],
  ['text for a number', { analyzer: { workers: '4' } }],
])('refuses %s', (_, values) => {
  expect(check(values)).toBe(false);
});

it('shows only metrics that there are', () => {
  const names = new Set(read('picket/files/dashboard.json').match(/picket_\w+/g));
  expect(names.size).toBeGreaterThan(8);
  for (const name of names) expect(Object.keys(metricCatalogue)).toContain(name);
});
