import { enumeration, integer, keyedList, object, type Schema, string } from '../schema/schema.ts';

const condition = object('Condition', 'One aspect of the state of the object.', {
  required: {
    type: string('What the condition is about, in CamelCase.', { maxLength: 64 }),
    status: enumeration('ConditionStatus', 'Whether it holds.', ['True', 'False', 'Unknown']),
    reason: string('Why, in one CamelCase word from a closed list.', { minLength: 1, maxLength: 64 }),
    message: string('Why, for a person: names the field and the fix.', { maxLength: 4096 }),
    observedGeneration: integer('Generation of the spec that the condition was derived from.', {
      minimum: 0,
    }),
    lastTransitionTime: string('When `status` last changed.', { format: 'date-time' }),
  },
});

/** Conditions as every Kubernetes tool reads them; several writers own one condition each. */
export function conditions(types: string): Schema {
  return keyedList(`State in conditions: ${types}.`, ['type'], condition, { maxItems: 16 });
}

export function observedGeneration(): Schema {
  return integer('Generation of the spec that this status speaks of.', { minimum: 0 });
}

/** How much of what was decided Envoys have acknowledged. */
export function enforcement(extra: Record<string, Schema>): Schema {
  return object(
    extra['active'] === undefined ? 'VerdictEnforcement' : 'ApiEnforcement',
    'What Envoys have acknowledged; written by the operator.',
    {
      optional: {
        ...extra,
        programmedEnvoys: integer('Envoys that acknowledged the decision.', { minimum: 0 }),
        totalEnvoys: integer('Envoys that should hold it.', { minimum: 0 }),
      },
    },
  );
}
