import type { Json, Schema } from '../schema/schema.ts';
import { type FieldError, isRecord } from './field-error.ts';
import { closestName } from './suggestion.ts';

const metadataFields = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

/**
 * Removes fields that the schema does not know, as the API server prunes them, and reports each, as it does with
 * `fieldValidation: Strict` (the default of kubectl).
 */
export function pruneUnknownFields(object: { [key: string]: Json }, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  prune(object, schema, '', errors);
  const metadata = object['metadata'];
  if (isRecord(metadata)) dropUnknown(metadata, metadataFields, 'metadata', errors);
  return errors;
}

function prune(value: Json, schema: Schema, path: string, errors: FieldError[]): void {
  if (schema.preserveUnknownFields === true) return;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items) value.forEach((item, i) => prune(item, items, `${path}[${i}]`, errors));
    return;
  }
  if (!isRecord(value)) return;
  const { additionalProperties, properties } = schema;
  if (additionalProperties) {
    for (const [name, item] of Object.entries(value)) prune(item, additionalProperties, child(path, name), errors);
    return;
  }
  // Metadata is checked against the fields of Kubernetes, not against a schema of ours.
  if (properties === undefined) return;
  dropUnknown(value, Object.keys(properties), path, errors);
  for (const [name, item] of Object.entries(value)) {
    const property = properties[name];
    if (property) prune(item, property, child(path, name), errors);
  }
}

function dropUnknown(
  value: { [key: string]: Json },
  known: readonly string[],
  path: string,
  errors: FieldError[],
): void {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    delete value[name];
    const at = child(path, name);
    const meant = closestName(name, known);
    const message = `unknown field "${at}"`;
    errors.push({
      path: at,
      message,
      hint: meant === undefined ? `known fields: ${known.join(', ')}` : `did you mean "${meant}"?`,
      blocksRules: false,
    });
  }
}

function child(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
