/** Types, bounds, enums, patterns and required fields, in the words of the API server. */
import type { Json, Schema } from '../schema/schema.ts';
import { duplicate, type FieldError, invalid, isRecord, jsonTypeOf, required, wrongType } from './field-error.ts';
import { closestName } from './suggestion.ts';

export function validateStructure(value: Json, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  check(value, schema, path, errors);
  return errors;
}

function check(value: Json, schema: Schema, path: string, errors: FieldError[]): void {
  const actual = jsonTypeOf(value);
  if (schema.type !== undefined && actual !== schema.type && !(schema.type === 'number' && actual === 'integer')) {
    errors.push(wrongType(path, `"${actual}"`, schema.type));
    if (schema.type === 'integer' && actual === 'number') {
      // The API server says it twice, the second time without a field.
      errors.push(invalid('', '""', `Checked value must be of type integer (default format) in ${path}`));
    }
    return;
  }
  if (schema.enum && typeof value === 'string' && !schema.enum.includes(value)) {
    const meant = closestName(value, schema.enum);
    errors.push({
      path,
      message: `Unsupported value: ${quote(value)}: supported values: ${schema.enum.map(quote).join(', ')}`,
      ...(meant === undefined ? {} : { hint: `did you mean "${meant}"?` }),
      blocksRules: true,
    });
  }
  if (typeof value === 'string') checkString(value, schema, path, errors);
  if (typeof value === 'number') checkNumber(value, schema, path, errors);
  if (Array.isArray(value)) checkArray(value, schema, path, errors);
  if (isRecord(value)) checkObject(value, schema, path, errors);
}

function checkString(value: string, schema: Schema, path: string, errors: FieldError[]): void {
  if (schema.format === 'date-time' && !isDateTime(value)) {
    errors.push(wrongType(path, quote(value), 'date-time'));
  }
  // In code points, although the message says bytes.
  const length = [...value].length;
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    errors.push({ path, message: `Too long: may not be more than ${schema.maxLength} bytes`, blocksRules: true });
  } else if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(invalid(path, quote(value), `${path} in body should be at least ${schema.minLength} chars long`));
  } else if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) {
    errors.push(invalid(path, quote(value), `${path} in body should match '${schema.pattern}'`));
  }
}

function checkNumber(value: number, schema: Schema, path: string, errors: FieldError[]): void {
  const { minimum, maximum } = schema;
  if (minimum !== undefined && schema.exclusiveMinimum === true && value <= minimum) {
    errors.push(invalid(path, String(value), `${path} in body should be greater than ${minimum}`));
  } else if (minimum !== undefined && value < minimum) {
    errors.push(invalid(path, String(value), `${path} in body should be greater than or equal to ${minimum}`));
  }
  if (maximum !== undefined && value > maximum) {
    errors.push(invalid(path, String(value), `${path} in body should be less than or equal to ${maximum}`));
  }
}

function checkArray(value: Json[], schema: Schema, path: string, errors: FieldError[]): void {
  const { items } = schema;
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(invalid(path, String(value.length), `${path} in body should have at least ${schema.minItems} items`));
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push(tooMany(path, value.length, schema.maxItems));
    // Looking into a list of any length would let one object cost any amount of time.
    return;
  }
  if (items) value.forEach((item, i) => check(item, items, `${path}[${i}]`, errors));
  checkListKeys(value, schema, path, errors);
}

/** Sets hold no value twice, keyed lists no key twice. */
function checkListKeys(value: Json[], schema: Schema, path: string, errors: FieldError[]): void {
  const keyOf = listKey(schema);
  if (keyOf === undefined) return;
  const seen = new Set<string>();
  value.forEach((item, i) => {
    const key = keyOf(item);
    if (seen.has(key)) errors.push(duplicate(`${path}[${i}]`, key));
    seen.add(key);
  });
}

function listKey(schema: Schema): ((item: Json) => string) | undefined {
  if (schema.listType === 'set') return (item) => JSON.stringify(item);
  const keys = schema.listType === 'map' ? schema.listMapKeys : undefined;
  if (keys === undefined) return undefined;
  return (item) => JSON.stringify(isRecord(item) ? Object.fromEntries(keys.map((key) => [key, item[key]])) : item);
}

function checkObject(value: { [key: string]: Json }, schema: Schema, path: string, errors: FieldError[]): void {
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) errors.push(required(at(name)));
  }
  const count = Object.keys(value).length;
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push(tooMany(path, count, schema.maxProperties));
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const property = schema.properties?.[name] ?? schema.additionalProperties;
    if (property) check(inner, property, at(name), errors);
  }
}

function tooMany(path: string, have: number, most: number): FieldError {
  return { path, message: `Too many: ${have}: must have at most ${most} items`, blocksRules: true };
}

/** RFC 3339 with a date that exists. */
function isDateTime(value: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/.exec(value);
  if (parts === null || Number.isNaN(Date.parse(value))) return false;
  // Date.parse takes 30 February for 2 March.
  return new Date(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]))).getUTCDate() === Number(parts[3]);
}

export function quote(value: string): string {
  return JSON.stringify(value);
}
