/**
 * Templates that somebody declared: the contract's operations, flows, object rules. A match with fewer parameters wins;
 * a parameter fills exactly one segment, "/**" at the end any rest, and a segment may mix text and parameters.
 */
export interface TemplateMatch<T> {
  value: T;
  /** Raw text of the variables, by position. */
  variables: string[];
  names: readonly string[];
}

export interface TemplateTrie<T> {
  readonly size: number;
  /** @returns false when the template is already there for this method. */
  add(method: string, template: string, value: T): boolean;
  /** Best match of a path; method "" in the trie matches any. */
  match(method: string, path: string): TemplateMatch<T> | undefined;
  /** Template of the best match under any method. */
  matchAnyMethod(path: string): string | undefined;
}

interface Leaf<T> {
  template: string;
  names: readonly string[];
  byMethod: Map<string, T>;
}

interface Node<T> {
  literals: Map<string, Node<T>>;
  patterns: { source: string; pattern: RegExp; node: Node<T> }[];
  parameter: Node<T> | undefined;
  leaf: Leaf<T> | undefined;
  rest: Leaf<T> | undefined;
}

const maxSegments = 32;

/** Of the path looked up last: a request asks several tries about one path. */
const segments: string[] = [];
let splitOf = '';
let isPath = false;

export function createTemplateTrie<T>(): TemplateTrie<T> {
  const root = createNode<T>();
  let size = 0;
  // Search state, kept here because a match runs for every request and must not allocate.
  const captured: string[] = [];
  let best: Leaf<T> | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  let bestVariables: string[] = [];
  let wanted: string | undefined;
  /** Segments that are looked at: without an empty last one in a second attempt. */
  let depthOf = 0;

  function offer(leaf: Leaf<T>, cost: number): void {
    if (cost >= bestCost) return;
    if (wanted !== undefined && !leaf.byMethod.has(wanted) && !leaf.byMethod.has('')) return;
    best = leaf;
    bestCost = cost;
    bestVariables = captured.slice();
  }

  function search(node: Node<T>, depth: number, cost: number): void {
    // A "/**" costs more than any number of parameters.
    if (node.rest && depth <= depthOf) offer(node.rest, cost + 1000 + depthOf - depth);
    if (depth === depthOf) {
      if (node.leaf) offer(node.leaf, cost);
      return;
    }
    if (cost >= bestCost) return;
    const segment = segments[depth] as string;
    const literal = node.literals.get(segment);
    if (literal) search(literal, depth + 1, cost);
    for (const { pattern, node: next } of node.patterns) {
      const found = pattern.exec(segment);
      if (!found) continue;
      const held = captured.length;
      for (let i = 1; i < found.length; i++) captured.push(found[i] as string);
      search(next, depth + 1, cost + 0.5);
      captured.length = held;
    }
    if (node.parameter && segment !== '') {
      captured.push(segment);
      search(node.parameter, depth + 1, cost + 1);
      captured.pop();
    }
  }

  function find(method: string | undefined, path: string): Leaf<T> | undefined {
    if (path !== splitOf) {
      isPath = splitPath(path, segments);
      splitOf = path;
    }
    if (!isPath || isForeign(root)) return undefined;
    depthOf = segments.length;
    best = undefined;
    bestCost = Number.POSITIVE_INFINITY;
    captured.length = 0;
    wanted = method;
    search(root, 0, 0);
    if (best === undefined && depthOf > 1 && segments[depthOf - 1] === '') {
      depthOf--;
      search(root, 0, 0);
    }
    return best;
  }

  return {
    get size() {
      return size;
    },
    add(method, template, value) {
      const names: string[] = [];
      const parts: string[] = [];
      if (!splitPath(template, parts)) return false;
      const open = parts[parts.length - 1] === '**';
      if (open) parts.pop();
      let node = root;
      for (const part of parts) node = grow(node, part, names);
      const leaf = (open ? node.rest : node.leaf) ?? { template, names, byMethod: new Map<string, T>() };
      if (open) node.rest = leaf;
      else node.leaf = leaf;
      if (leaf.byMethod.has(method)) return false;
      leaf.byMethod.set(method, value);
      size++;
      return true;
    },
    match(method, path) {
      if (size === 0) return undefined;
      const leaf = find(method, path);
      if (!leaf) return undefined;
      const value = (leaf.byMethod.get(method) ?? leaf.byMethod.get('')) as T;
      return { value, variables: bestVariables, names: leaf.names };
    },
    matchAnyMethod(path) {
      return size === 0 ? undefined : find(undefined, path)?.template;
    },
  };
}

/** No template begins like the path: decided on the first segment, because most paths match none. */
function isForeign<T>(root: Node<T>): boolean {
  if (root.parameter || root.rest || root.patterns.length > 0 || segments.length === 0) return false;
  return !root.literals.has(segments[0] as string);
}

function createNode<T>(): Node<T> {
  return { literals: new Map(), patterns: [], parameter: undefined, leaf: undefined, rest: undefined };
}

function grow<T>(node: Node<T>, part: string, names: string[]): Node<T> {
  const found = [...part.matchAll(/\{([^{}]*)\}/g)];
  if (found.length === 0) {
    let next = node.literals.get(part);
    if (!next) {
      next = createNode();
      node.literals.set(part, next);
    }
    return next;
  }
  for (const variable of found) names.push(variable[1] as string);
  if (found.length === 1 && found[0]?.[0] === part) {
    node.parameter ??= createNode();
    return node.parameter;
  }
  const source = part
    .split(/\{[^{}]*\}/)
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('(.+?)');
  let entry = node.patterns.find((p) => p.source === source);
  if (!entry) {
    entry = { source, pattern: new RegExp(`^${source}$`), node: createNode() };
    node.patterns.push(entry);
  }
  return entry.node;
}

/** Splits "/a/b" into ["a","b"], "/a/" into ["a",""], "/" into []. False for what is no path or too deep. */
function splitPath(path: string, into: string[]): boolean {
  into.length = 0;
  if (path.charCodeAt(0) !== 47) return false;
  if (path.length === 1) return true;
  let from = 1;
  while (from <= path.length) {
    let to = path.indexOf('/', from);
    if (to < 0) to = path.length;
    if (into.length === maxSegments) return false;
    into.push(path.slice(from, to));
    from = to + 1;
  }
  return true;
}
