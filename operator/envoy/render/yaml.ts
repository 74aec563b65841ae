import { stringify } from 'yaml';
import type { Json } from './matcher.ts';

/** YAML as Envoy's documentation writes it: field names in snake case. Keys of maps have no capitals and stay. */
export function toYaml(value: Json): string {
  return stringify(snakeCase(value), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Fields as the protobuf files name them, where others merge ours into their own. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeName(key), snakeCase(inner)]));
}

function snakeName(key: string): string {
  return /^[a-z][A-Za-z0-9]*$/.test(key) ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : key;
}
