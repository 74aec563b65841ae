import { expect, test } from 'vitest';
import { errorOfStatus } from './status-error.ts';
import { createUnknownFields } from './unknown-fields.ts';

const refusal = (message: string) => errorOfStatus({ code: 500, message }, 'PATCH …/status');

test('fields that a definition lacks are left out, and only those', () => {
  const fields = createUnknownFields();
  const status = { entries: 3, learning: { phase: 'Cold', gates: [{ name: 'hours', have: 1 }] } };
  expect(fields.known('Kind', status)).toEqual(status);
  const told = refusal(
    'failed to create typed patch object (a/b; v1, Kind=Kind): errors:\n' +
      '  .status.entries: field not declared in schema\n' +
      '  .status.learning.gates[name="hours"].have: field not declared in schema',
  );
  expect(told).toMatchObject({ code: 'InvalidObject', retriable: false });
  expect(fields.learn('Kind', told)).toBe(true);
  expect(fields.known('Kind', status)).toEqual({ learning: { phase: 'Cold' } });
  expect(fields.known('Other', status)).toEqual(status);
  expect(fields.learn('Kind', refusal('etcd is gone'))).toBe(false);
  expect(fields.learn('Kind', new Error('.status.phase: field not declared in schema'))).toBe(false);
  fields.forget('Kind');
  expect(fields.known('Kind', status)).toEqual(status);
  expect(fields.learn('Kind', told)).toBe(true);
});
