/** TypeScript types of the kinds, in the form a reader of the store gets them: with defaults filled in. */
import { API_VERSION, type Kind } from '../schema/kind.ts';
import type { Schema } from '../schema/schema.ts';

const header = `// Generated from crds/kinds by \`npm run generate -w crds\`. Do not edit.
// Types of objects as stored: fields with a default are always there.

export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  /** Rises with each change of \`spec\`. */
  generation: number;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
`;

/** @param further schemas beside those of kinds, for example of events */
export function renderTypes(kinds: readonly Kind[], further: readonly Schema[]): string {
  const declared = new Map<string, string>();
  for (const kind of kinds) {
    declare(kind.spec, declared);
    declare(kind.status, declared);
  }
  for (const schema of further) declare(schema, declared);
  const objects = kinds.map(
    (kind) => `${doc(kind.description)}export interface ${kind.kind} {
  apiVersion: '${API_VERSION}';
  kind: '${kind.kind}';
  metadata: ObjectMeta;
  spec: ${kind.kind}Spec;
  status?: ${kind.kind}Status;
}
`,
  );
  const byKind = `/** Object type by kind. */
export interface ObjectByKind {
${kinds.map((kind) => `  ${kind.kind}: ${kind.kind};`).join('\n')}
}

export type KindName = keyof ObjectByKind;
`;
  return [header, ...objects, byKind, ...declared.values()].join('\n');
}

/** Declares the named types inside `schema`, inner ones after their users; one name means one shape. */
function declare(schema: Schema, declared: Map<string, string>): void {
  if (schema.typeName !== undefined) {
    const text = schema.enum ? enumerationText(schema) : interfaceText(schema);
    const known = declared.get(schema.typeName);
    // Descriptions of enumerations differ by place; values may not.
    if (known !== undefined && known !== text) throw new Error(`two shapes for the type ${schema.typeName}`);
    declared.set(schema.typeName, text);
  }
  for (const property of Object.values(schema.properties ?? {})) declare(property, declared);
  if (schema.items) declare(schema.items, declared);
  if (schema.additionalProperties) declare(schema.additionalProperties, declared);
}

function enumerationText(schema: Schema): string {
  const union = (schema.enum ?? []).map((value) => `'${value}'`).join(' | ');
  return `export type ${schema.typeName} = ${union};\n`;
}

function interfaceText(schema: Schema): string {
  const fields = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const always = schema.required?.includes(name) === true || property.default !== undefined;
    return `${doc(property.description, '  ')}  ${name}${always ? '' : '?'}: ${typeText(property)};`;
  });
  if (fields.length === 0) return `${doc(schema.description)}export type ${schema.typeName} = Record<string, never>;\n`;
  return `${doc(schema.description)}export interface ${schema.typeName} {\n${fields.join('\n')}\n}\n`;
}

function typeText(schema: Schema): string {
  if (schema.typeName !== undefined) return schema.typeName;
  if (schema.items) return `${typeText(schema.items)}[]`;
  if (schema.additionalProperties) return `Record<string, ${typeText(schema.additionalProperties)}>`;
  if (schema.type === 'integer') return 'number';
  return schema.type === undefined || schema.type === 'object' ? 'Json' : schema.type;
}

function doc(description: string, indent = ''): string {
  return `${indent}/** ${description.replaceAll('*/', '*\\/')} */\n`;
}
