import type { Json, Schema } from '../schema/schema.ts';
import { isRecord } from './field-error.ts';

/** Fills in defaults in place, as the API server does: inside what is present, and `null` counts as absent. */
export function applyDefaults(value: Json, schema: Schema): void {
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) applyDefaults(item, schema.items);
    return;
  }
  if (!isRecord(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default !== undefined && (value[name] === undefined || value[name] === null)) {
      value[name] = structuredClone(property.default);
    }
    const inner = value[name];
    if (inner !== undefined) applyDefaults(inner, property);
  }
  if (schema.additionalProperties) {
    for (const inner of Object.values(value)) applyDefaults(inner, schema.additionalProperties);
  }
}
