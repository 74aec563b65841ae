/**
 * The shape in which kinds are written down once. A `Schema` is a structural OpenAPI v3 schema as Kubernetes accepts
 * it, plus a name for the TypeScript type it becomes. Every builder demands a description.
 */

/** A scalar, list or tree of them, as YAML and JSON carry it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One CEL rule (`x-kubernetes-validations`). */
export interface Rule {
  /** CEL; `self` is the value, `oldSelf` what it was. Reserved words are escaped as Kubernetes does: `self.__for__`. */
  rule: string;
  /** Names the problem and the fix. */
  message: string;
  /** Field that the error is reported at, relative to the value, for example `.maxFor`. */
  fieldPath?: string;
  /** Defaults to FieldValueInvalid. */
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
}

export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  description: string;
  /** Name of the TypeScript type; not part of the CRD. */
  typeName?: string;
  format?: 'date-time';
  default?: Json;
  enum?: readonly string[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: readonly string[];
  additionalProperties?: Schema;
  preserveUnknownFields?: boolean;
  listType?: 'atomic' | 'set' | 'map';
  listMapKeys?: readonly string[];
  rules?: readonly Rule[];
}

export function string(
  description: string,
  options: {
    pattern?: string;
    minLength?: number;
    maxLength?: number;
    default?: string;
    format?: 'date-time';
    rules?: Rule[];
  } = {},
): Schema {
  // Without a bound the API server assumes the largest request when it estimates what a CEL rule costs.
  const bound = options.format === undefined ? { maxLength: options.maxLength ?? 1024 } : {};
  return { type: 'string', description, ...options, ...bound };
}

export function enumeration(
  typeName: string,
  description: string,
  values: readonly string[],
  initial?: string,
): Schema {
  const schema: Schema = { type: 'string', description, typeName, enum: values };
  return initial === undefined ? schema : { ...schema, default: initial };
}

export function integer(
  description: string,
  options: { minimum?: number; maximum?: number; default?: number } = {},
): Schema {
  return { type: 'integer', description, ...options };
}

export function number(
  description: string,
  options: { minimum?: number; maximum?: number; exclusiveMinimum?: boolean; default?: number } = {},
): Schema {
  return { type: 'number', description, ...options };
}

export function boolean(description: string, options: { default?: boolean; rules?: Rule[] } = {}): Schema {
  return { type: 'boolean', description, ...options };
}

/** Any JSON value. The API server stores it as given; CEL cannot look inside. */
export function anyJson(description: string): Schema {
  return { description, preserveUnknownFields: true };
}

export function object(
  typeName: string,
  description: string,
  fields: { required?: Record<string, Schema>; optional?: Record<string, Schema> },
  options: { default?: Json; rules?: Rule[] } = {},
): Schema {
  const required = Object.keys(fields.required ?? {});
  return {
    type: 'object',
    description,
    typeName,
    ...options,
    ...(required.length > 0 ? { required } : {}),
    properties: { ...fields.required, ...fields.optional },
  };
}

/** String keys to values of one schema. */
export function map(description: string, values: Schema, options: { maxProperties: number }): Schema {
  return { type: 'object', description, additionalProperties: values, maxProperties: options.maxProperties };
}

interface ListOptions {
  maxItems: number;
  minItems?: number;
  default?: Json[];
  rules?: Rule[];
}

/** Replaced as a whole by whoever applies it. */
export function list(description: string, items: Schema, options: ListOptions): Schema {
  return { type: 'array', description, items, listType: 'atomic', ...options };
}

/** Scalars without duplicates; merged item by item. */
export function set(description: string, items: Schema, options: ListOptions): Schema {
  return { type: 'array', description, items, listType: 'set', ...options };
}

/** Objects told apart by `keys`; merged item by item, so that several writers can share the list. */
export function keyedList(description: string, keys: readonly string[], items: Schema, options: ListOptions): Schema {
  return { type: 'array', description, items, listType: 'map', listMapKeys: keys, ...options };
}

/** Exactly one of the fields is set. The message lists them. */
export function exactlyOneOf(...fields: string[]): Rule {
  const count = fields.map((field) => `(has(self.${celName(field)}) ? 1 : 0)`).join(' + ');
  return { rule: `${count} == 1`, message: `exactly one of ${fields.join(', ')} must be set` };
}

const celReserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** Property name as CEL in Kubernetes knows it: reserved words and characters outside identifiers are escaped. */
export function celName(property: string): string {
  if (celReserved.has(property)) return `__${property}__`;
  return property
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}
