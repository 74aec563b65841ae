import type { Schema } from './schema.ts';

export const GROUP = 'picket.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'number' | 'date' | 'boolean';
  jsonPath: string;
  description: string;
  /** Above 0 = only with `-o wide`. */
  priority?: number;
}

/** One namespaced kind of `picket.dev/v1alpha1` with a status subresource. */
export interface Kind {
  kind: string;
  plural: string;
  shortName: string;
  /** Who writes the object: a person in YAML, or Picket itself. */
  writer: 'Person' | 'Picket';
  description: string;
  spec: Schema;
  status: Schema;
  columns: PrinterColumn[];
  /** YAML for the reference page, body of the document without `apiVersion` and `kind`. */
  example: string;
}

/** Status of a condition as a printer column. */
export function conditionColumn(name: string, condition: string, description: string): PrinterColumn {
  return {
    name,
    type: 'string',
    jsonPath: `.status.conditions[?(@.type=="${condition}")].status`,
    description,
  };
}

export const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created.',
};
