/** What a store must know of the kinds it holds; given by whoever composes the process. */
export interface ObjectSchemas {
  /** `picket.dev/v1alpha1` */
  apiVersion: string;
  kinds: readonly string[];
  /** Kinds that Picket creates itself; not accepted as manifests. */
  picketKinds: readonly string[];
  /** The validation that Kubernetes does; `errors` empty = accepted. */
  validate(kind: string, object: unknown, old?: unknown): { defaulted: Record<string, unknown>; errors: SchemaError[] };
  /** Keys of a keyed list at a path of property names. */
  listMapKeys(kind: string, path: readonly string[]): readonly string[] | undefined;
  /** Objects inside these kinds whose `file` is read by the store and becomes `inline`. */
  inlineFiles: readonly { kind: string; at: readonly string[] }[];
}

export interface SchemaError {
  /** "" = the object as a whole. */
  path: string;
  message: string;
  hint?: string;
}
