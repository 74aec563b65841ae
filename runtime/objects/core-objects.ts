/** `ConfigMap` and `Secret`: the only objects of other groups that Picket reads, because its own refer to them. */
import type { StoredObject } from './object-store.ts';
import type { SchemaError } from './object-schemas.ts';

export interface ConfigMap extends StoredObject<undefined> {
  data?: Record<string, string>;
  /** Base64. */
  binaryData?: Record<string, string>;
}

export interface Secret extends StoredObject<undefined> {
  type?: string;
  /** Base64. */
  data?: Record<string, string>;
}

export const coreKinds: readonly string[] = ['ConfigMap', 'Secret'];

const fields: Record<string, readonly string[]> = {
  ConfigMap: ['data', 'binaryData'],
  Secret: ['data', 'stringData'],
};

/** Content of a ConfigMap or Secret as the API server would store it; `errors` never show a value. */
export function readCoreContent(
  kind: string,
  object: Record<string, unknown>,
): { content: Record<string, unknown>; errors: SchemaError[] } {
  const errors: SchemaError[] = [];
  const content: Record<string, unknown> = {};
  for (const field of fields[kind] ?? []) {
    const map = object[field];
    if (map === undefined || map === null) continue;
    const texts = textMap(map, field, errors);
    if (field === 'stringData') {
      const encoded = Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
      content['data'] = { ...(content['data'] as object | undefined), ...Object.fromEntries(encoded) };
    } else {
      if (field === 'binaryData' || kind === 'Secret') checkBase64(texts, field, errors);
      content[field] = texts;
    }
  }
  if (kind === 'Secret' && typeof object['type'] === 'string') content['type'] = object['type'];
  return { content, errors };
}

function textMap(map: unknown, field: string, errors: SchemaError[]): Record<string, string> {
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    errors.push({ path: field, message: 'must be a map of keys to text' });
    return {};
  }
  const texts: Record<string, string> = {};
  for (const [key, text] of Object.entries(map)) {
    if (typeof text === 'string') texts[key] = text;
    else errors.push({ path: `${field}.${key}`, message: 'must be text', hint: 'put quotes around the value' });
  }
  return texts;
}

function checkBase64(texts: Record<string, string>, field: string, errors: SchemaError[]): void {
  for (const [key, text] of Object.entries(texts)) {
    if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) {
      errors.push({
        path: `${field}.${key}`,
        message: 'must be base64',
        hint: 'for plain text use data or stringData',
      });
    }
  }
}
