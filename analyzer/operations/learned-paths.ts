/**
 * Templates learned from traffic: a tree of path segments in which identifiers are parameters at once and words become
 * one when their number shows it. What it holds depends on nothing but the order of the requests.
 *
 * When siblings fold, the operations under them become one; `folded` says which id went into which, so that counts
 * kept elsewhere do not split.
 */
import { createGenerationMap } from '../identify/generation-map.ts';
import { answersNeeded } from './evidence.ts';
import { countRequest, createOperation, type Operation } from './operation.ts';
import { digitShape, isIdentifier, isVersion } from './segment.ts';

export interface PathLimits {
  /** Operations of one API; beyond them requests count to `/**` of their method. */
  maxOperations: number;
  maxNodes: number;
  maxSegments: number;
}

export const defaultPathLimits: PathLimits = { maxOperations: 4000, maxNodes: 40_000, maxSegments: 24 };

/** Siblings of one digit shape ("page-#") that make the shape a parameter. */
const shapeSiblings = 4;

/**
 * Word siblings fold when there are at least `fewWords` and, by the Chao1 estimate, `manyExpected` are to be expected
 * in all (fixed resources are soon seen again, values hardly ever); when half of them lead to the same next word
 * (`/users/anna/orders`, `/users/ben/orders`); or when there are `manyWords`. The root needs more: sites put all their
 * pages there.
 */
const fewWords = 24;
const manyExpected = 120;
const manyWords = 256;
const rootFactor = 4;

interface PathNode {
  template: string;
  depth: number;
  literals: Map<string, PathNode>;
  parameter: PathNode | undefined;
  /** Literal siblings by digit shape, and shapes that have become parameters. */
  shapes: Map<string, number>;
  foldedShapes: Set<string>;
  folded: boolean;
  visits: number;
  operations: Map<string, Operation>;
}

export interface NodeState {
  v: number;
  f?: 1;
  s?: string[];
  o?: [method: string, count: number, firstSeen: number, lastSeen: number][];
  c?: Record<string, NodeState>;
  p?: NodeState;
}

export interface LearnedState {
  root: NodeState;
  overflow: [method: string, count: number, firstSeen: number, lastSeen: number][];
  pending: [string, number][];
}

export interface LearnedPaths {
  /** Raw text of the last parameter of the last resolved path; "" when it has none. */
  readonly variable: string;
  /** The operation of a request, or undefined while its path has not proved to exist. */
  resolve(method: string, path: string, status: number, at: number): Operation | undefined;
  operations(): Operation[];
  readonly nodes: number;
  toJSON(): LearnedState;
  restore(state: LearnedState): void;
}

export function createLearnedPaths(
  api: string,
  limits: PathLimits,
  events: { created: (operation: Operation) => void; folded: (from: Operation, to: Operation) => void },
): LearnedPaths {
  let root = createNode('', 0);
  let nodes = 1;
  let operationCount = 0;
  let variable = '';
  const overflow = new Map<string, Operation>();
  const pending = createGenerationMap<string, number>(4096, (key) => key.length);
  const segments: string[] = [];
  const walked: PathNode[] = [];

  function step(node: PathNode, segment: string): PathNode | undefined {
    const literal = node.literals.get(segment);
    if (literal) return literal;
    if (!takesAsParameter(node, segment)) return undefined;
    variable = segment;
    return node.parameter;
  }

  function create(method: string, at: number): Operation {
    let node = root;
    const parents: PathNode[] = [];
    for (const segment of segments) {
      let next = step(node, segment);
      if (!next) {
        if (nodes >= limits.maxNodes) return overflowOperation(method, at);
        nodes++;
        if (takesAsParameter(node, segment)) {
          next = createNode(`${node.template}/{}`, node.depth + 1);
          node.parameter = next;
        } else {
          next = createNode(`${node.template}/${segment}`, node.depth + 1);
          node.literals.set(segment, next);
          const shape = digitShape(segment);
          if (shape !== '' && !isVersion(segment)) node.shapes.set(shape, (node.shapes.get(shape) ?? 0) + 1);
          parents.push(node);
        }
      }
      node.visits++;
      node = next;
    }
    let operation = node.operations.get(method);
    if (!operation) {
      if (operationCount >= limits.maxOperations) return overflowOperation(method, at);
      operation = createOperation(api, method, node.template === '' ? '/' : node.template);
      node.operations.set(method, operation);
      operationCount++;
      events.created(operation);
    }
    countRequest(operation, at);
    // A fold moves the operation just made; the walk after it finds where it went.
    let moved = false;
    for (const parent of parents) moved = foldSiblings(parent) || moved;
    return moved ? (find(method) ?? operation) : operation;
  }

  function find(method: string): Operation | undefined {
    let node: PathNode | undefined = root;
    variable = '';
    for (const segment of segments) {
      node = step(node, segment);
      if (!node) return undefined;
    }
    return node.operations.get(method);
  }

  function overflowOperation(method: string, at: number): Operation {
    let operation = overflow.get(method);
    if (!operation) {
      operation = createOperation(api, method, '/**');
      overflow.set(method, operation);
      events.created(operation);
    }
    countRequest(operation, at);
    return operation;
  }

  function foldSiblings(node: PathNode): boolean {
    let moved = false;
    for (const [shape, count] of node.shapes) {
      if (count < shapeSiblings) continue;
      node.shapes.delete(shape);
      node.foldedShapes.add(shape);
      moved = fold(node, (segment) => digitShape(segment) === shape && !isVersion(segment)) || moved;
    }
    if (!node.folded && hasManyWords(node)) {
      node.folded = true;
      const actions = rareActions(node);
      moved = fold(node, (segment) => !isVersion(segment) && !actions.has(segment)) || moved;
    }
    return moved;
  }

  function fold(node: PathNode, takes: (segment: string) => boolean): boolean {
    const taken = [...node.literals].filter(([segment]) => takes(segment));
    if (taken.length === 0) return false;
    if (!node.parameter) {
      node.parameter = createNode(`${node.template}/{}`, node.depth + 1);
      nodes++;
    }
    for (const [segment, child] of taken) {
      node.literals.delete(segment);
      merge(node.parameter, child);
    }
    return true;
  }

  function merge(target: PathNode, source: PathNode): void {
    nodes--;
    target.visits += source.visits;
    for (const [method, from] of source.operations) {
      let to = target.operations.get(method);
      if (to) operationCount--;
      else {
        to = createOperation(api, method, target.template);
        target.operations.set(method, to);
        events.created(to);
      }
      to.count += from.count;
      to.firstSeen = Math.min(to.firstSeen, from.firstSeen);
      to.lastSeen = Math.max(to.lastSeen, from.lastSeen);
      events.folded(from, to);
    }
    target.folded ||= source.folded;
    for (const shape of source.foldedShapes) target.foldedShapes.add(shape);
    if (source.parameter) mergeInto(target, undefined, source.parameter);
    for (const [segment, child] of source.literals) {
      mergeInto(target, takesAsParameter(target, segment) ? undefined : segment, child);
    }
    foldSiblings(target);
  }

  function mergeInto(target: PathNode, segment: string | undefined, source: PathNode): void {
    let next = segment === undefined ? target.parameter : target.literals.get(segment);
    if (!next) {
      next = createNode(`${target.template}/${segment ?? '{}'}`, target.depth + 1);
      nodes++;
      if (segment === undefined) target.parameter = next;
      else {
        target.literals.set(segment, next);
        const shape = digitShape(segment);
        if (shape !== '' && !isVersion(segment)) target.shapes.set(shape, (target.shapes.get(shape) ?? 0) + 1);
      }
    }
    merge(next, source);
  }

  return {
    get variable() {
      return variable;
    },
    get nodes() {
      return nodes;
    },
    resolve(method, path, status, at) {
      variable = '';
      if (!splitSegments(path, segments, limits.maxSegments)) return undefined;
      let node: PathNode | undefined = root;
      let last: PathNode = root;
      for (let i = 0; i < segments.length; i++) {
        const segment = segments[i] as string;
        node = step(last, segment);
        if (!node) break;
        // A word that fell to a folded parameter and was not found is no proof of the parameter.
        if (status === 404 && node === last.parameter && !isIdentifier(segment)) return undefined;
        walked[i] = last;
        last = node;
      }
      const known = node?.operations.get(method);
      if (known) {
        for (let i = 0; i < segments.length; i++) (walked[i] as PathNode).visits++;
        countRequest(known, at);
        return known;
      }
      const needed = answersNeeded(status);
      if (needed === 0) return undefined;
      if (needed > 1) {
        const key = `${method} ${path.length > 256 ? path.slice(0, 256) : path}`;
        const seen = (pending.get(key) ?? 0) + 1;
        if (seen < needed) {
          pending.set(key, seen);
          return undefined;
        }
        pending.delete(key);
      }
      return create(method, at);
    },
    operations() {
      const found: Operation[] = [...overflow.values()];
      collect(root, found);
      return found;
    },
    toJSON: () => ({
      root: encodeNode(root),
      overflow: [...overflow.values()].map(encodeOperation),
      pending: [...pending.entries()],
    }),
    restore(state) {
      nodes = 0;
      operationCount = 0;
      overflow.clear();
      pending.clear();
      for (const [key, count] of state.pending) pending.set(key, count);
      for (const entry of state.overflow) overflow.set(entry[0], decodeOperation(api, '/**', entry));
      root = decodeNode(state.root, '', 0);
      for (const operation of overflow.values()) events.created(operation);
    },
  };

  function decodeNode(state: NodeState, template: string, depth: number): PathNode {
    const node = createNode(template, depth);
    nodes++;
    node.visits = state.v;
    node.folded = state.f === 1;
    for (const shape of state.s ?? []) node.foldedShapes.add(shape);
    for (const entry of state.o ?? []) {
      const operation = decodeOperation(api, template === '' ? '/' : template, entry);
      node.operations.set(entry[0], operation);
      operationCount++;
      events.created(operation);
    }
    for (const [segment, child] of Object.entries(state.c ?? {})) {
      node.literals.set(segment, decodeNode(child, `${template}/${segment}`, depth + 1));
      const shape = digitShape(segment);
      if (shape !== '' && !isVersion(segment)) node.shapes.set(shape, (node.shapes.get(shape) ?? 0) + 1);
    }
    if (state.p) node.parameter = decodeNode(state.p, `${template}/{}`, depth + 1);
    return node;
  }
}

function createNode(template: string, depth: number): PathNode {
  return {
    template,
    depth,
    literals: new Map(),
    parameter: undefined,
    shapes: new Map(),
    foldedShapes: new Set(),
    folded: false,
    visits: 0,
    operations: new Map(),
  };
}

function takesAsParameter(node: PathNode, segment: string): boolean {
  if (isIdentifier(segment)) return true;
  if (isVersion(segment)) return false;
  return node.folded || (node.foldedShapes.size > 0 && node.foldedShapes.has(digitShape(segment)));
}

function hasManyWords(node: PathNode): boolean {
  const siblings = node.literals.size;
  const factor = node.depth === 0 ? rootFactor : 1;
  if (siblings < fewWords * factor) return false;
  if (siblings >= manyWords * factor) return true;
  let once = 0;
  let twice = 0;
  const next = new Map<string, number>();
  let shared = 0;
  for (const child of node.literals.values()) {
    const requests = requestsTo(child);
    if (requests === 1) once++;
    else if (requests === 2) twice++;
    for (const segment of child.literals.keys()) {
      const count = (next.get(segment) ?? 0) + 1;
      next.set(segment, count);
      if (count > shared) shared = count;
    }
  }
  // Chao, "Nonparametric estimation of the number of classes in a population", 1984; bias-corrected form.
  const expected = siblings + (once * (once - 1)) / (2 * (twice + 1));
  return expected >= manyExpected * factor || shared * 2 >= siblings;
}

function requestsTo(node: PathNode): number {
  let count = node.visits;
  for (const operation of node.operations.values()) count += operation.count;
  return count;
}

/**
 * Words that stay when their siblings fold: those that are posted to where most are not, "login" beside user names.
 */
function rareActions(node: PathNode): Set<string> {
  const posted = [...node.literals].filter(([, child]) => child.operations.has('POST'));
  return posted.length * 4 >= node.literals.size ? new Set() : new Set(posted.map(([segment]) => segment));
}

/** Segments without empty ones and matrix parameters. False for what names no resource: dot segments, too deep. */
function splitSegments(path: string, into: string[], maxSegments: number): boolean {
  into.length = 0;
  // "foo" is no path of HTTP, but logs hold such requests: it stays apart from "/foo".
  let from = path.charCodeAt(0) === 47 ? 1 : 0;
  if (from === 0) return false;
  while (from < path.length) {
    let to = path.indexOf('/', from);
    if (to < 0) to = path.length;
    if (to > from) {
      const matrix = path.indexOf(';', from);
      const segment = path.slice(from, matrix >= 0 && matrix < to ? matrix : to);
      if (segment === '.' || segment === '..' || into.length === maxSegments) return false;
      if (segment !== '') into.push(segment);
    }
    from = to + 1;
  }
  return true;
}

function collect(node: PathNode, into: Operation[]): void {
  for (const operation of node.operations.values()) into.push(operation);
  if (node.parameter) collect(node.parameter, into);
  for (const child of node.literals.values()) collect(child, into);
}

function encodeOperation(o: Operation): [string, number, number, number] {
  return [o.method, o.count, o.firstSeen, o.lastSeen];
}

function decodeOperation(
  api: string,
  template: string,
  [method, count, firstSeen, lastSeen]: [string, number, number, number],
): Operation {
  const operation = createOperation(api, method, template);
  operation.count = count;
  operation.firstSeen = firstSeen;
  operation.lastSeen = lastSeen;
  return operation;
}

function encodeNode(node: PathNode): NodeState {
  const state: NodeState = { v: node.visits };
  if (node.folded) state.f = 1;
  if (node.foldedShapes.size > 0) state.s = [...node.foldedShapes];
  if (node.operations.size > 0) state.o = [...node.operations.values()].map(encodeOperation);
  if (node.literals.size > 0) {
    // A null prototype: a segment may be called "__proto__".
    const children: Record<string, NodeState> = Object.create(null);
    for (const [segment, child] of node.literals) children[segment] = encodeNode(child);
    state.c = children;
  }
  if (node.parameter) state.p = encodeNode(node.parameter);
  return state;
}
