/** Errors as the API server words them, one field each. */
import type { Json } from '../schema/schema.ts';

export interface FieldError {
  /** `spec.flows[0].match.path`; "" when the error is about the object as a whole. */
  path: string;
  /** Without the path: `Unsupported value: "Enforc": supported values: "DryRun", …`. */
  message: string;
  /** What only Picket adds, for example `did you mean "Enforce"?`. */
  hint?: string;
  /** The API server does not evaluate rules after such an error, because they could not be trusted. */
  blocksRules: boolean;
}

/** One line as the API server prints it. */
export function formatFieldError(error: FieldError): string {
  if (error.message.startsWith('unknown field ')) return error.message;
  return `${error.path === '' ? '<nil>' : error.path}: ${error.message}`;
}

export function invalid(path: string, value: string, detail: string): FieldError {
  return { path, message: `Invalid value: ${value}: ${detail}`, blocksRules: false };
}

export function required(path: string, detail?: string): FieldError {
  return { path, message: detail === undefined ? 'Required value' : `Required value: ${detail}`, blocksRules: true };
}

export function wrongType(path: string, actual: string, expected: string): FieldError {
  return {
    path,
    message: `Invalid value: ${actual}: ${path} in body must be of type ${expected}: ${actual}`,
    blocksRules: true,
  };
}

export function duplicate(path: string, value: string): FieldError {
  return { path, message: `Duplicate value: ${value}`, blocksRules: false };
}

/** Type of a value under its JSON name; whole numbers are integers. */
export function jsonTypeOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

export function isRecord(value: unknown): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
