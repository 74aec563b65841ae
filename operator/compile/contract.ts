import { type DeclaredOperation, DeclaredOperationSchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { create } from '@bufbuild/protobuf';
import { parse } from 'yaml';
import type { ReferenceProblem } from './problem.ts';

/** Bounds of a document, so that a hostile or broken one costs little. */
const maxBytes = 8 * 1024 * 1024;
const maxOperations = 5_000;
const maxServers = 16;

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

export interface ParsedContract {
  operations: DeclaredOperation[];
  problems: ReferenceProblem[];
}

/**
 * Operations of an OpenAPI 3.x or Swagger 2.0 document, JSON or YAML, with templates as requests carry them.
 *
 * Where servers (or `basePath`) name a path it counts as part of every template; where they name none, templates are
 * taken to be below the prefix of the API unless they start with it.
 *
 * @param field where the document was named, for messages.
 */
export function parseContract(text: string, pathPrefix: string, field: string): ParsedContract {
  const unreadable = (message: string): ParsedContract => ({
    operations: [],
    problems: [{ reason: 'ContractUnreadable', message: `${field}: ${message}` }],
  });
  if (text.length > maxBytes) return unreadable(`longer than ${maxBytes} bytes; leave examples and descriptions out`);
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 1_000, uniqueKeys: true, logLevel: 'silent' });
  } catch (error) {
    return unreadable(`neither JSON nor YAML: ${firstLine(error)}`);
  }
  if (!isRecord(document)) return unreadable('not an OpenAPI document: expected an object at the top');
  const version = document['openapi'] ?? document['swagger'];
  if (!/^(3\.\d|2\.0)/.test(String(version))) {
    return unreadable('expected "openapi: 3.x" or "swagger: 2.0" at the top');
  }
  const paths = document['paths'];
  if (!isRecord(paths)) {
    return { operations: [], problems: [{ reason: 'ContractEmpty', message: `${field}: the document has no paths` }] };
  }
  return collect(paths, basePaths(document), pathPrefix, field);
}

function collect(paths: Record<string, unknown>, bases: string[], pathPrefix: string, field: string): ParsedContract {
  const operations = new Map<string, DeclaredOperation>();
  const outside: string[] = [];
  for (const [path, item] of Object.entries(paths)) {
    if (!path.startsWith('/') || !isRecord(item)) continue;
    const templates = bases.map((base) => place(base, path, pathPrefix)).filter((t) => t !== undefined);
    if (templates.length === 0) outside.push(`${bases[0] ?? ''}${path}`);
    for (const method of methods) {
      const operation = item[method];
      if (!isRecord(operation)) continue;
      for (const template of templates) {
        const key = `${method} ${template}`;
        if (operations.has(key) || operations.size >= maxOperations) continue;
        operations.set(
          key,
          create(DeclaredOperationSchema, {
            method: method.toUpperCase(),
            template,
            deprecated: operation['deprecated'] === true,
          }),
        );
      }
    }
  }
  const problems: ReferenceProblem[] = [];
  if (outside.length > 0) {
    problems.push({
      reason: 'TemplateMatchesNothing',
      message:
        `${field}: ${outside.length} of ${Object.keys(paths).length} paths are not below spec.pathPrefix ` +
        `${pathPrefix}, for example ${outside[0]}; correct spec.pathPrefix or the servers of the contract`,
    });
  }
  if (operations.size >= maxOperations) {
    problems.push({
      reason: 'ContractUnreadable',
      message: `${field}: only the first ${maxOperations} operations are used; split the API`,
    });
  }
  if (operations.size === 0 && outside.length === 0) {
    problems.push({ reason: 'ContractEmpty', message: `${field}: the document declares no operation` });
  }
  return { operations: [...operations.values()], problems };
}

/** The template as requests carry it; undefined when no request to the API can match it. */
function place(base: string, path: string, pathPrefix: string): string | undefined {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  const full = base === '' ? trimmed : trimmed === '/' ? base : `${base}${trimmed}`;
  if (isBelow(full, pathPrefix)) return full;
  if (base !== '') return undefined;
  return full === '/' ? pathPrefix : `${pathPrefix}${full}`;
}

/** Whether every request that matches the template has the prefix. */
export function isBelow(template: string, pathPrefix: string): boolean {
  return pathPrefix === '' || template === pathPrefix || template.startsWith(`${pathPrefix}/`);
}

/** Distinct paths that servers put in front, "" for none. */
function basePaths(document: Record<string, unknown>): string[] {
  if (typeof document['basePath'] === 'string') return [cleanPath(document['basePath'])];
  const servers = Array.isArray(document['servers']) ? document['servers'].slice(0, maxServers) : [];
  const bases = new Set<string>();
  for (const server of servers) if (isRecord(server)) bases.add(serverPath(server));
  return bases.size === 0 ? [''] : [...bases];
}

function serverPath(server: Record<string, unknown>): string {
  const variables = isRecord(server['variables']) ? server['variables'] : {};
  const url = textOf(server['url']).replace(/\{([^{}]*)\}/g, (_, name: string) => {
    const variable = variables[name];
    return isRecord(variable) ? textOf(variable['default']) : '';
  });
  const path = /^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/]*(\/[^?#]*)?/i.exec(url);
  return cleanPath(path ? (path[1] ?? '') : (url.split(/[?#]/, 1)[0] ?? ''));
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function cleanPath(path: string): string {
  const trimmed = path.replace(/\/+$/, '').replace(/\/{2,}/g, '/');
  return trimmed === '' ? '' : trimmed.startsWith('/') ? trimmed : `/${trimmed}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
