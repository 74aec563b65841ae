import type { Json, Schema } from '../schema/schema.ts';
import { isRecord } from './field-error.ts';

/** Fills in defaults in place, as the API server does: inside what is present, and a `null` in a map counts as absent. */
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
    if (value[name] === null) delete value[name];
    const inner = value[name];
    if (inner !== undefined) applyDefaults(inner, property);
  }
  if (schema.additionalProperties) {
    for (const [name, inner] of Object.entries(value)) {
      if (inner === null) delete value[name];
      else applyDefaults(inner, schema.additionalProperties);
    }
  }
}
