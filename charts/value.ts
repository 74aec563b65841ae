/**
 * How values of a chart are written down once: each with its default, its bounds and its meaning. `values.yaml`, its
 * schema and the reference page come from here.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A leaf: JSON Schema of what may stand there, and what stands there by default. */
export interface Leaf {
  description: string;
  default: Json;
  schema: { [key: string]: Json };
  /** All that may stand there, where that is a closed list. */
  options?: readonly string[];
}

/** A mapping whose keys are all known; any other key is refused as a typo. */
export interface Group {
  description: string;
  values: { [name: string]: Leaf | Group };
}

export function isGroup(value: Leaf | Group): value is Group {
  return 'values' in value;
}

export function group(description: string, values: Group['values']): Group {
  return { description, values };
}

export function text(
  description: string,
  initial: string,
  bounds: { pattern?: string; minLength?: number } = {},
): Leaf {
  return { description, default: initial, schema: { type: 'string', ...bounds } };
}

export function choice(description: string, initial: string, options: readonly string[]): Leaf {
  return { description, default: initial, schema: { type: 'string', enum: [...options] }, options };
}

export function flag(description: string, initial: boolean): Leaf {
  return { description, default: initial, schema: { type: 'boolean' } };
}

export function integer(description: string, initial: number, minimum: number, maximum: number): Leaf {
  return { description, default: initial, schema: { type: 'integer', minimum, maximum } };
}

/** A quantity of Kubernetes: `500m`, `2Gi`. */
export function quantity(description: string, initial: string): Leaf {
  return text(description, initial, { pattern: '^[0-9]+(\\.[0-9]+)?(m|[kMGTPE]|[KMGTPE]i)?$' });
}

export function list(description: string, items: { [key: string]: Json }, initial: Json[] = []): Leaf {
  return { description, default: initial, schema: { type: 'array', items } };
}

/** Names to texts, as labels and annotations are. */
export function map(description: string, initial: { [key: string]: Json } = {}): Leaf {
  return { description, default: initial, schema: { type: 'object', additionalProperties: { type: 'string' } } };
}

/** Handed on to Kubernetes as it is; the API server checks it. */
export function passedOn(description: string, initial: Json): Leaf {
  return { description, default: initial, schema: { type: Array.isArray(initial) ? 'array' : 'object' } };
}
