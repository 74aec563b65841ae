import fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyFields, type FieldOwners, type ListKeys } from './applied-fields.ts';

const keys: ListKeys = (path) => (path.at(-1) === 'conditions' ? ['type'] : undefined);

function applyAll(steps: [manager: string, intent: Record<string, unknown>][]) {
  let value: Record<string, unknown> = {};
  let owners: FieldOwners = {};
  for (const [manager, intent] of steps) ({ value, owners } = applyFields(value, owners, intent, manager, keys));
  return { value, owners };
}

it('removes what a manager leaves out and keeps what it shares', () => {
  const { value } = applyAll([
    ['a', { x: 1, y: { z: 2 } }],
    ['b', { x: 1 }],
    ['a', {}],
  ]);
  expect(value).toEqual({ x: 1 });
});

it('gives a field to the latest writer', () => {
  const { value, owners } = applyAll([
    ['a', { x: 1 }],
    ['b', { x: 2 }],
    ['a', {}],
  ]);
  expect(value).toEqual({ x: 2 });
  expect(owners).toEqual({ b: ['["x"]'] });
});

it('replaces a plain list and merges a keyed one', () => {
  const { value } = applyAll([
    ['a', { list: [1, 2], conditions: [{ type: 'A', status: 'True' }] }],
    ['b', { list: [3], conditions: [{ type: 'B', status: 'True' }] }],
    ['a', { conditions: [{ type: 'A', status: 'False' }] }],
  ]);
  expect(value).toEqual({
    list: [3],
    conditions: [
      { type: 'A', status: 'False' },
      { type: 'B', status: 'True' },
    ],
  });
});

it('removes an item of a keyed list with everything its manager put in it', () => {
  const shared = { type: 'B', status: 'True' };
  const { value } = applyAll([
    ['a', { conditions: [{ type: 'A', status: 'True', reason: 'R' }, shared] }],
    ['b', { conditions: [{ type: 'B', reason: 'Mine' }] }],
    ['a', { x: 1 }],
  ]);
  expect(value).toEqual({ x: 1, conditions: [{ type: 'B', reason: 'Mine' }] });
});

it('lets a field change from text to object and back', () => {
  expect(
    applyAll([
      ['a', { x: 't' }],
      ['a', { x: { y: 1 } }],
    ]).value,
  ).toEqual({ x: { y: 1 } });
  expect(
    applyAll([
      ['a', { x: { y: 1 } }],
      ['a', { x: 't' }],
    ]).value,
  ).toEqual({ x: 't' });
});

const leaf = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.integer(), { minLength: 1, maxLength: 3 }),
);
const intents = fc.dictionary(
  fc.constantFrom('a', 'b', 'c'),
  fc.oneof(leaf, fc.dictionary(fc.constantFrom('x', 'y'), leaf, { minKeys: 1, noNullPrototype: true })),
  { noNullPrototype: true },
);

it('holds, for any history of one manager, exactly its last intent', () => {
  fc.assert(
    fc.property(fc.array(intents, { minLength: 1, maxLength: 5 }), (history) => {
      const { value } = applyAll(history.map((intent) => ['a', intent]));
      expect(value).toEqual(history.at(-1));
    }),
  );
});

it('is empty again once every manager has let go', () => {
  const managers = fc.constantFrom('a', 'b');
  fc.assert(
    fc.property(fc.array(fc.tuple(managers, intents), { maxLength: 6 }), (steps) => {
      const { value, owners } = applyAll([...steps, ['a', {}], ['b', {}]]);
      expect({ value, owners }).toEqual({ value: {}, owners: {} });
    }),
  );
});
