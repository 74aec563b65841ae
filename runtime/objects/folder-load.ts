/**
 * From parsed manifests to the objects that shall be in force: pure, so that "keeps the last good state" can be read
 * and tested in one place.
 */
import { coreKinds, readCoreContent } from './core-objects.ts';
import { isObject, type Manifest, type ParsedFile } from './manifest.ts';
import type { ObjectKey } from './object-store.ts';
import type { ObjectSchemas, SchemaError } from './object-schemas.ts';
import { keyText } from './object-table.ts';
import type { Problem, ProblemReason } from './problem.ts';

/** An object as its manifest has it, validated. */
export interface ManifestObject {
  key: ObjectKey;
  apiVersion: string;
  /** Relative path of its manifest. */
  file: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  spec: unknown;
  /** Content of kinds without a spec. */
  content: Record<string, unknown>;
}

export interface LoadInput {
  files: readonly ParsedFile[];
  /** What kept files from being read at all. */
  unreadable: readonly Problem[];
  /** What was in force before, by `keyText`. */
  previous: ReadonlyMap<string, ManifestObject>;
  schemas: ObjectSchemas;
  /** Text of a file that a manifest names, or why there is none. */
  readText(file: string): { text: string } | { error: string };
}

export interface LoadOutcome {
  /** By `keyText`; what is not here is no longer in force. */
  objects: Map<string, ManifestObject>;
  problems: Problem[];
}

interface Claim {
  manifest: Manifest;
  key: ObjectKey;
}

export function loadFolder(input: LoadInput): LoadOutcome {
  const problems = [...input.unreadable, ...input.files.flatMap((file) => file.problems)];
  const incomplete = new Set([
    ...input.unreadable.map((problem) => problem.file),
    ...input.files.filter((file) => !file.complete).map((file) => file.file),
  ]);
  const claims = new Map<string, Claim[]>();
  for (const manifest of input.files.flatMap((file) => file.manifests)) {
    const key = identify(manifest, input.schemas, problems, incomplete);
    if (key === undefined) continue;
    const text = keyText(key);
    claims.set(text, [...(claims.get(text) ?? []), { manifest, key }]);
  }
  const objects = new Map<string, ManifestObject>();
  for (const [text, claimants] of claims) {
    const previous = input.previous.get(text);
    const winner = claimants.find((claim) => claim.manifest.file === previous?.file) ?? claimants[0];
    if (winner === undefined) continue;
    reportDuplicates(winner, claimants, problems);
    const object = validateClaim(winner, previous, input, problems) ?? previous;
    if (object) objects.set(text, object);
  }
  // What a broken file defined before may still be meant by it.
  for (const [text, previous] of input.previous) {
    if (!objects.has(text) && !claims.has(text) && incomplete.has(previous.file)) objects.set(text, previous);
  }
  return { objects, problems: problems.map((problem) => markKept(problem, input.previous)) };
}

/** A file that fails as a whole keeps what it defined before. */
function markKept(problem: Problem, previous: ReadonlyMap<string, ManifestObject>): Problem {
  if (problem.object !== undefined || problem.severity === 'Warning') return problem;
  const keeps = [...previous.values()].some((object) => object.file === problem.file);
  return keeps ? { ...problem, keptLastGood: true } : problem;
}

function identify(
  manifest: Manifest,
  schemas: ObjectSchemas,
  problems: Problem[],
  incomplete: Set<string>,
): ObjectKey | undefined {
  const { apiVersion, kind, metadata } = manifest.object;
  const report = (reason: ProblemReason, field: string, message: string, severity: Problem['severity'] = 'Error') => {
    if (severity === 'Error') incomplete.add(manifest.file);
    problems.push({
      severity,
      reason,
      file: manifest.file,
      ...manifest.locate(field),
      field,
      message,
      keptLastGood: false,
    });
    return undefined;
  };
  if (typeof apiVersion !== 'string') {
    return report('NotAnObject', 'apiVersion', `is missing; set it to ${schemas.apiVersion}`);
  }
  if (typeof kind !== 'string') {
    return report('NotAnObject', 'kind', `is missing; one of ${schemas.kinds.join(', ')}`);
  }
  const group = (version: string) => version.split('/')[0];
  if (group(apiVersion) === group(schemas.apiVersion)) {
    if (!schemas.kinds.includes(kind)) {
      const [error] = schemas.validate(kind, manifest.object).errors;
      return report('UnknownKind', 'kind', error ? withHint(error) : `"${kind}" is not known`);
    }
    if (apiVersion !== schemas.apiVersion) {
      return report('UnknownKind', 'apiVersion', `"${apiVersion}" is not served; use ${schemas.apiVersion}`);
    }
    if (schemas.picketKinds.includes(kind)) {
      return report('WrittenByPicket', 'kind', `${kind} is written by Picket; remove it from the folder`);
    }
  } else if (apiVersion !== 'v1' || !coreKinds.includes(kind)) {
    if (schemas.kinds.includes(kind)) {
      return report('UnknownKind', 'apiVersion', `"${apiVersion}" has no kind ${kind}; use ${schemas.apiVersion}`);
    }
    const message = `${kind} of ${apiVersion} is none of Picket's kinds and is ignored here`;
    return report('ForeignKind', 'kind', message, 'Warning');
  }
  const name = isObject(metadata) ? metadata['name'] : undefined;
  const namespace = isObject(metadata) ? (metadata['namespace'] ?? 'default') : 'default';
  if (typeof name !== 'string' || name === '') {
    return report('Invalid', 'metadata.name', 'Required value: give the object a name');
  }
  if (typeof namespace !== 'string') {
    return report('Invalid', 'metadata.namespace', 'must be text; leave it out for the namespace default');
  }
  return { kind, namespace, name };
}

function reportDuplicates(winner: Claim, claimants: readonly Claim[], problems: Problem[]): void {
  const at = winner.manifest.locate('metadata.name');
  for (const claim of claimants) {
    if (claim === winner) continue;
    problems.push({
      severity: 'Error',
      reason: 'Duplicate',
      file: claim.manifest.file,
      ...claim.manifest.locate('metadata.name'),
      object: claim.key,
      field: 'metadata.name',
      message: `is already defined in ${winner.manifest.file}:${at.line}, which stays in force; remove one of the two`,
      keptLastGood: false,
    });
  }
}

function validateClaim(
  { manifest, key }: Claim,
  previous: ManifestObject | undefined,
  input: LoadInput,
  problems: Problem[],
): ManifestObject | undefined {
  const errors: SchemaError[] = [];
  const { status: _, ...written } = manifest.object;
  const given = { ...written, metadata: { ...(written['metadata'] as object), namespace: key.namespace } };
  let spec: unknown;
  let content: Record<string, unknown> = {};
  let metadata: unknown = given.metadata;
  if (coreKinds.includes(key.kind)) {
    const read = readCoreContent(key.kind, given);
    errors.push(...read.errors);
    content = read.content;
  } else {
    const old = previous && { ...given, spec: previous.spec };
    const validation = input.schemas.validate(key.kind, given, old);
    errors.push(...validation.errors);
    spec = validation.defaulted['spec'];
    metadata = validation.defaulted['metadata'];
    if (errors.length === 0) inlineFiles(key.kind, spec, manifest.file, input, errors);
  }
  for (const error of errors) {
    // The API server's note that it stopped early helps nobody who gets every error with its line.
    if (error.path === '' && error.message.includes('some validation rules were not checked')) continue;
    problems.push({
      severity: 'Error',
      reason: 'Invalid',
      file: manifest.file,
      ...manifest.locate(error.path),
      object: key,
      ...(error.path === '' ? {} : { field: error.path }),
      message: withHint(error),
      keptLastGood: previous !== undefined,
    });
  }
  if (errors.length > 0) return undefined;
  const { apiVersion } = manifest.object;
  return {
    key,
    apiVersion: String(apiVersion),
    file: manifest.file,
    labels: texts(metadata, 'labels'),
    annotations: texts(metadata, 'annotations'),
    spec,
    content,
  };
}

/** Puts the content of a named file in place of its name, so that a change of the file is a change of the object. */
function inlineFiles(kind: string, spec: unknown, manifestFile: string, input: LoadInput, errors: SchemaError[]): void {
  for (const reference of input.schemas.inlineFiles) {
    if (reference.kind !== kind) continue;
    let node = spec;
    for (const name of reference.at) node = isObject(node) ? node[name] : undefined;
    if (!isObject(node) || typeof node['file'] !== 'string') continue;
    const folder = manifestFile.includes('/') ? manifestFile.slice(0, manifestFile.lastIndexOf('/') + 1) : '';
    const read = input.readText(folder + node['file']);
    if ('error' in read) {
      errors.push({ path: `spec.${reference.at.join('.')}.file`, message: read.error });
    } else {
      delete node['file'];
      node['inline'] = read.text;
    }
  }
}

function texts(metadata: unknown, field: string): Record<string, string> {
  const map = isObject(metadata) ? metadata[field] : undefined;
  return isObject(map) ? Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)])) : {};
}

function withHint(error: SchemaError): string {
  return error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
}
