/**
 * The validation that Kubernetes does to objects of `picket.dev`, for everything that takes YAML without an API
 * server: unknown fields, defaults, structure, metadata and rules, with the same messages.
 */
import { kinds } from './kinds/kinds.ts';
import { documentSchema } from './schema/document.ts';
import { API_VERSION } from './schema/kind.ts';
import type { Json, Schema } from './schema/schema.ts';
import { applyDefaults } from './validate/defaults.ts';
import { type FieldError, formatFieldError, invalid, isRecord } from './validate/field-error.ts';
import { validateMetadata } from './validate/metadata.ts';
import { validateRules } from './validate/rules.ts';
import { validateStructure } from './validate/structure.ts';
import { closestName } from './validate/suggestion.ts';
import { pruneUnknownFields } from './validate/unknown-fields.ts';

export { API_VERSION, formatFieldError, type FieldError };

const schemas = new Map<string, Schema>(kinds.map((kind) => [kind.kind, documentSchema(kind)]));

/** Names of the kinds of `picket.dev/v1alpha1`. */
export const kindNames: readonly string[] = kinds.map((kind) => kind.kind);

/** Kinds that Picket itself creates; people do not write them as manifests. */
export const picketWrittenKinds: readonly string[] = kinds
  .filter((kind) => kind.writer === 'Picket')
  .map((kind) => kind.kind);

export interface Validation {
  /** A copy with defaults filled in and unknown fields removed. */
  defaulted: { [key: string]: Json };
  /** Empty = the API server would accept the object. */
  errors: FieldError[];
}

const rulesSkipped =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

/**
 * Validates a whole object of `kind`.
 *
 * @param old what the object was, for rules about changes; left out on creation
 */
export function validateObject(kind: string, object: unknown, old?: unknown): Validation {
  const schema = schemas.get(kind);
  if (schema === undefined) return unknownKind(kind, object);
  if (!isRecord(object)) {
    return { defaulted: {}, errors: [invalid('', JSON.stringify(object) ?? 'undefined', 'must be an object')] };
  }
  const defaulted = structuredClone(object);
  const errors = pruneUnknownFields(defaulted, schema);
  const version = defaulted['apiVersion'];
  if (version !== API_VERSION) {
    const message = `Invalid value: ${JSON.stringify(version) ?? '""'}: must be ${API_VERSION}`;
    errors.push({ path: 'apiVersion', message, blocksRules: false });
  }
  applyDefaults(defaulted, schema);
  errors.push(...validateMetadata(defaulted['metadata']), ...validateStructure(defaulted, schema, ''));
  if (errors.some((error) => error.blocksRules)) errors.push(invalid('', 'null', rulesSkipped));
  else errors.push(...validateRules(defaulted, isRecord(old) ? old : undefined, schema, ''));
  return { defaulted, errors };
}

/**
 * Keys of a keyed list at `path` (property names, list items left out) of a kind, so that a store can merge it as
 * server-side apply does; undefined = the list is replaced as a whole.
 */
export function listMapKeys(kind: string, path: readonly string[]): readonly string[] | undefined {
  let schema = schemas.get(kind);
  for (const name of path) {
    schema = schema?.items ?? schema;
    schema = schema?.properties?.[name] ?? schema?.additionalProperties;
  }
  return schema?.listType === 'map' ? schema.listMapKeys : undefined;
}

function unknownKind(kind: string, object: unknown): Validation {
  const meant = closestName(kind, kindNames);
  const error: FieldError = {
    path: 'kind',
    message: `no matches for kind ${JSON.stringify(kind)} in version "${API_VERSION}"`,
    hint: meant === undefined ? `known kinds: ${kindNames.join(', ')}` : `did you mean "${meant}"?`,
    blocksRules: true,
  };
  return { defaulted: isRecord(object) ? structuredClone(object) : {}, errors: [error] };
}

/** What an object store must know of the kinds, in one value. */
export const objectSchemas = {
  apiVersion: API_VERSION,
  kinds: kindNames,
  picketKinds: picketWrittenKinds,
  validate: validateObject,
  listMapKeys,
  /** Objects whose `file` names a text that belongs in `inline`. */
  inlineFiles: [{ kind: 'ProtectedAPI', at: ['contract'] }],
} as const;
