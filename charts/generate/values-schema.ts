/** `values.schema.json`: what Helm checks before it renders anything. Unknown keys are typos. */
import { type Group, isGroup, type Json, type Leaf } from '../value.ts';

export function renderValuesSchema(values: Group): string {
  const schema = { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Values of picket', ...schemaOf(values) };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function schemaOf(value: Group | Leaf): { [key: string]: Json } {
  if (!isGroup(value)) return { description: value.description, ...value.schema };
  return {
    description: value.description,
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(Object.entries(value.values).map(([name, inner]) => [name, schemaOf(inner)])),
  };
}
