import { expect, test } from 'vitest';
import { silentLogger } from '../../log.ts';
import { errorOfStatus } from './status-error.ts';
import { createStatusWriter } from './status-writer.ts';

const refusal = errorOfStatus(
  { code: 500, message: 'x: .status.size: field not declared in schema' },
  'PATCH …/status',
);

test('of writes that are refused at the same time for the same field each is written without it', async () => {
  const written: object[] = [];
  const { promise: bothSent, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  const writer = createStatusWriter({
    async patch(_, status) {
      if (++sent === 2) resolve();
      await bothSent;
      if ('size' in status) throw refusal;
      written.push(status);
    },
    ...{ mayWrite: () => true, completeEveryMs: 1_000_000, log: silentLogger },
  });
  const key = (name: string) => ({ kind: 'Kind', namespace: 'a', name });
  await Promise.all(['one', 'two'].map((phase) => writer.apply(key(phase), { phase, size: 1 }, 'test')));
  expect(written).toEqual([{ phase: 'one' }, { phase: 'two' }]);
  await writer.close();
});

test('a refusal that leaving out does not mend is told', async () => {
  const writer = createStatusWriter({
    patch: () => Promise.reject(refusal),
    ...{ mayWrite: () => true, completeEveryMs: 1_000_000, log: silentLogger },
  });
  await expect(writer.apply({ kind: 'Kind', namespace: 'a', name: 'x' }, { phase: 'y' }, 'test')).rejects.toBe(refusal);
  await writer.close();
});
