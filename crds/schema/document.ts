/** The schema of a whole object and of its CRD, from the source of a kind. */
import { createHash } from 'node:crypto';
import type { Kind } from './kind.ts';
import { GROUP, VERSION } from './kind.ts';
import type { Json, Schema } from './schema.ts';

/** Names become NATS subject tokens and parts of Envoy match keys, so dots are out. */
const nameRule = {
  rule: "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
  message: 'metadata.name must be a DNS label: at most 63 characters, without dots',
};

/** Schema of the object as a whole. `metadata` is Kubernetes' own and validated apart. */
export function documentSchema(kind: Kind): Schema {
  return {
    type: 'object',
    description: kind.description,
    typeName: kind.kind,
    required: ['spec'],
    rules: [nameRule],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
      kind: { type: 'string', description: 'Kind of this object.' },
      // Kubernetes allows nothing here but the type.
      metadata: { type: 'object', description: '' },
      spec: kind.spec,
      status: kind.status,
    },
  };
}

/** The OpenAPI v3 schema as it stands in a CRD. */
export function openApiSchema(schema: Schema): { [key: string]: Json } {
  const out: { [key: string]: Json } = {};
  if (schema.type !== undefined) out['type'] = schema.type;
  if (schema.description !== '') out['description'] = schema.description;
  if (schema.format !== undefined) out['format'] = schema.format;
  if (schema.default !== undefined) out['default'] = schema.default;
  if (schema.enum) out['enum'] = [...schema.enum];
  for (const bound of [
    'pattern',
    'minLength',
    'maxLength',
    'minimum',
    'maximum',
    'exclusiveMinimum',
    'minItems',
    'maxItems',
    'maxProperties',
  ] as const) {
    const value = schema[bound];
    if (value !== undefined) out[bound] = value;
  }
  if (schema.required) out['required'] = [...schema.required];
  if (schema.properties) {
    out['properties'] = Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, openApiSchema(v)]));
  }
  if (schema.additionalProperties) out['additionalProperties'] = openApiSchema(schema.additionalProperties);
  if (schema.items) out['items'] = openApiSchema(schema.items);
  if (schema.preserveUnknownFields) out['x-kubernetes-preserve-unknown-fields'] = true;
  if (schema.listType) out['x-kubernetes-list-type'] = schema.listType;
  if (schema.listMapKeys) out['x-kubernetes-list-map-keys'] = [...schema.listMapKeys];
  if (schema.rules) {
    out['x-kubernetes-validations'] = schema.rules.map((rule) => ({ ...rule }));
  }
  return out;
}

/** Annotation of a CRD by which a program finds out that the kind in a cluster is not the one that it knows. */
export const schemaDigestAnnotation = 'picket.dev/schema-digest';

export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string; annotations: Record<string, string> };
  spec: { [key: string]: Json };
}

/** A kind as Kubernetes takes it. */
export function customResourceDefinition(kind: Kind): CustomResourceDefinition {
  const spec: { [key: string]: Json } = {
    group: GROUP,
    scope: 'Namespaced',
    names: {
      kind: kind.kind,
      listKind: `${kind.kind}List`,
      plural: kind.plural,
      singular: kind.kind.toLowerCase(),
      shortNames: [kind.shortName],
      categories: ['picket'],
    },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: kind.columns.map((column) => ({ ...column })),
        schema: { openAPIV3Schema: openApiSchema(documentSchema(kind)) },
      },
    ],
  };
  const digest = createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 16);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}`, annotations: { [schemaDigestAnnotation]: digest } },
    spec,
  };
}
