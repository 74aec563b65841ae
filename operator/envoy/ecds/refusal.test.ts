import { create } from '@bufbuild/protobuf';
import { DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { expect, test } from 'vitest';
import { describeRefusal } from './refusal.ts';

test('a refusal is told without the values it quotes', () => {
  const decision = create(DecisionSchema, {
    match: [
      { predicate: { case: 'entity', value: { kind: PrincipalKind.USER, value: 'alice@example.com' } } },
      { predicate: { case: 'addresses', value: { cidrs: ['203.0.113.7'] } } },
    ],
  });
  const words = describeRefusal(
    'bad key alice@example.com from 203.0.113.7\ntyped_config { key: "alice@example.com" }',
    [decision],
  );
  expect(words).toBe('bad key … from …');
  expect(describeRefusal('x'.repeat(1_000), []).length).toBe(240);
});
