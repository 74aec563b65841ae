/** Evaluates `x-kubernetes-validations` as the API server does. */
import { isIPv4, isIPv6 } from 'node:net';
import { Environment } from '@marcbachmann/cel-js';
import { celName, type Json, type Rule, type Schema } from '../schema/schema.ts';
import { type FieldError, isRecord } from './field-error.ts';

const environment = new Environment({ unlistedVariablesAreDyn: true })
  .registerFunction('isCIDR(string): bool', isCidr)
  .registerVariable('self', 'dyn')
  .registerVariable('oldSelf', 'dyn');

type Program = (context: { self: unknown; oldSelf?: unknown }) => unknown;
const programs = new Map<string, Program>();

/** `object` and `old` must have passed the structural validation, or rules see types they do not expect. */
export function validateRules(object: Json, old: Json | undefined, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  walk(object, old, schema, path, errors);
  return errors;
}

function walk(value: Json, old: Json | undefined, schema: Schema, path: string, errors: FieldError[]): void {
  for (const rule of schema.rules ?? []) {
    const error = evaluate(rule, value, old, schema, path);
    if (error) errors.push(error);
  }
  if (Array.isArray(value) && schema.items) {
    const { items } = schema;
    const before = correlateItems(old, schema);
    value.forEach((item, i) => walk(item, before(item), items, `${path}[${i}]`, errors));
  }
  if (isRecord(value)) {
    for (const [name, inner] of Object.entries(value)) {
      const property = schema.properties?.[name] ?? schema.additionalProperties;
      const before = isRecord(old) ? old[name] : undefined;
      if (property) walk(inner, before, property, path === '' ? name : `${path}.${name}`, errors);
    }
  }
}

function evaluate(
  rule: Rule,
  value: Json,
  old: Json | undefined,
  schema: Schema,
  path: string,
): FieldError | undefined {
  const aboutChange = /\boldSelf\b/.test(rule.rule);
  if (aboutChange && old === undefined) return undefined;
  const at = `${path}${rule.fieldPath ?? ''}`.replace(/^\./, '');
  const context = aboutChange
    ? { self: celValue(value, schema), oldSelf: celValue(old ?? null, schema) }
    : { self: celValue(value, schema) };
  let detail = rule.message;
  try {
    if (program(rule.rule)(context) === true) return undefined;
  } catch (cause) {
    detail = `${cause instanceof Error ? cause.message : String(cause)} evaluating rule: ${rule.message}`;
  }
  return ruleError(at, rule, typeof value === 'object' || rule.fieldPath !== undefined ? undefined : value, detail);
}

/** The value is shown only where it is a scalar and the error is about it. */
function ruleError(path: string, rule: Rule, value: Json | undefined, detail: string): FieldError {
  const shown = value === undefined ? '' : `: ${JSON.stringify(value)}`;
  const reason = rule.reason ?? 'FieldValueInvalid';
  if (reason === 'FieldValueForbidden') return { path, message: `Forbidden: ${detail}`, blocksRules: false };
  if (reason === 'FieldValueRequired') return { path, message: `Required value: ${detail}`, blocksRules: false };
  if (reason === 'FieldValueDuplicate') return { path, message: `Duplicate value${shown}`, blocksRules: false };
  return { path, message: `Invalid value${shown}: ${detail}`, blocksRules: false };
}

function program(rule: string): Program {
  const known = programs.get(rule);
  if (known) return known;
  const compiled = environment.parse(rule) as Program;
  programs.set(rule, compiled);
  return compiled;
}

/** Items of a keyed list are followed by key; those of other lists have no past. */
function correlateItems(old: Json | undefined, schema: Schema): (item: Json) => Json | undefined {
  const keys = schema.listType === 'map' ? schema.listMapKeys : undefined;
  if (keys === undefined || !Array.isArray(old)) return () => undefined;
  const keyOf = (item: Json) => JSON.stringify(keys.map((key) => (isRecord(item) ? item[key] : undefined)));
  const byKey = new Map(old.map((item) => [keyOf(item), item]));
  return (item) => byKey.get(keyOf(item));
}

/** JSON as CEL types: integers as 64 bit, instants as timestamps, property names escaped, opaque values left out. */
function celValue(value: Json, schema: Schema): unknown {
  if (schema.type === 'integer') return typeof value === 'number' ? BigInt(value) : value;
  if (schema.format === 'date-time') return typeof value === 'string' ? new Date(value) : value;
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item) => celValue(item, items)) : value;
  }
  if (!isRecord(value)) return value;
  const out: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const property = schema.properties?.[name];
    if (property?.preserveUnknownFields === true) continue;
    if (property) out[celName(name)] = celValue(inner, property);
    else if (schema.additionalProperties) out[name] = celValue(inner, schema.additionalProperties);
    // Of metadata the rules see the name.
    else if (schema.properties === undefined && name === 'name') out[name] = inner;
  }
  return out;
}

/** As Go's netip.ParsePrefix with the additions of Kubernetes: no zone, no leading zeros, no IPv4 inside IPv6. */
function isCidr(text: unknown): boolean {
  const parts = /^([^/%]+)\/(0|[1-9][0-9]{0,2})$/.exec(String(text));
  const address = parts?.[1] ?? '';
  const bits = Number(parts?.[2] ?? -1);
  if (isIPv4(address)) return bits <= 32 && !/(^|\.)0\d/.test(address);
  return (
    isIPv6(address) &&
    bits <= 128 &&
    bits >= 0 &&
    !/^(0*:)*:?(0*:)*ffff:(\d+\.|[0-9a-f]{1,4}:[0-9a-f]{1,4}$)/i.test(address)
  );
}
