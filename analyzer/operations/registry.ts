/**
 * All operations of all APIs: the contract's first, learned ones otherwise.
 *
 * Measured with the identifier, see `test/bench/identify.ts`.
 */
import { createGenerationMap, hashKey } from '../identify/generation-map.ts';
import { answersNeeded } from './evidence.ts';
import {
  createLearnedPaths,
  defaultPathLimits,
  type LearnedPaths,
  type LearnedState,
  type PathLimits,
} from './learned-paths.ts';
import { countRequest, createOperation, type Operation } from './operation.ts';
import { canonicalTemplate } from './template.ts';
import { createTemplateTrie, type TemplateTrie } from './template-trie.ts';

/** What a policy says about the operations of its API. */
export interface OperationContract {
  /** From the contract; templates with the path prefix. */
  declared: readonly { method: string; template: string; deprecated: boolean }[];
  /** Named by flows and object rules without being in the contract: they exist, whatever they answer. */
  named: readonly { method: string; template: string }[];
}

export interface ApiOperations {
  readonly api: string;
  /** Raw text of the last parameter of the last resolved path; "" when it has none. */
  readonly variable: string;
  /** What was declared for a path: follows from the contract alone, so it may be kept until that changes. */
  declaredFor(method: string, path: string): DeclaredMatch;
  /**
   * Undefined: the path never proved to exist. The result is live: read, do not keep fields.
   *
   * @param declared what `declaredFor` said of method and path.
   */
  resolve(
    method: string,
    path: string,
    status: number,
    at: number,
    staticAsset: boolean,
    declared?: DeclaredMatch,
  ): Operation | undefined;
  list(): Operation[];
}

export interface DeclaredMatch {
  operation: Operation | undefined;
  /** Raw text of its last parameter; "" when it has none. */
  variable: string;
  /** Declared for another method only. */
  template: string | undefined;
}

/** Operation `from` became part of `to`; whoever counts by operation id adds them up. */
export interface OperationAlias {
  api: string;
  from: { lo: number; hi: number };
  to: { lo: number; hi: number };
}

export interface OperationRegistry {
  /** The operations of an API, which exist from the first call on. */
  api(api: string): ApiOperations;
  /** Replaces the contract; learned templates and counts stay. */
  setContract(api: string, contract: OperationContract): void;
  /** Forgets an API. */
  delete(api: string): void;
  /** Operation by id, also by the id of one that was folded into it. */
  byId(lo: number, hi: number): { api: string; operation: Operation } | undefined;
  /** "GET /orders/{id}", or undefined. */
  templateOf(lo: number, hi: number): string | undefined;
  list(api: string): Operation[];
  toJSON(): RegistryState;
  /** Replaces what was learned. Contracts are not part of the state. */
  restore(state: RegistryState): void;
}

export interface RegistryState {
  version: 1;
  apis: Record<
    string,
    {
      learned: LearnedState;
      declared: [method: string, template: string, count: number, first: number, last: number][];
    }
  >;
  aliases: [api: string, fromLo: number, fromHi: number, toLo: number, toHi: number][];
}

interface Api {
  operations: ApiOperations;
  learned: LearnedPaths;
  declared: Map<string, Operation>;
  trie: TemplateTrie<Operation>;
}

const assetTemplate = '/**/{asset}';

export function createOperationRegistry(
  options: { limits?: Partial<PathLimits>; onAlias?: (alias: OperationAlias) => void } = {},
): OperationRegistry {
  const limits = { ...defaultPathLimits, ...options.limits };
  const apis = new Map<string, Api>();
  const aliases = createGenerationMap<number, OperationAlias>(10_000);
  const index = new Map<number, { api: string; operation: Operation }>();

  function enter(api: string, operation: Operation): void {
    index.set(hashKey(operation.lo, operation.hi), { api, operation });
  }

  function alias(api: string, from: Operation, to: Operation): void {
    index.delete(hashKey(from.lo, from.hi));
    const entry = { api, from: { lo: from.lo, hi: from.hi }, to: { lo: to.lo, hi: to.hi } };
    aliases.set(hashKey(from.lo, from.hi), entry);
    options.onAlias?.(entry);
  }

  function ensure(name: string): Api {
    let api = apis.get(name);
    if (!api) {
      api = createApi(name);
      apis.set(name, api);
    }
    return api;
  }

  function createApi(name: string): Api {
    const learned = createLearnedPaths(name, limits, {
      created: (operation) => enter(name, operation),
      folded: (from, to) => alias(name, from, to),
    });
    let variable = '';
    const declaredFor = (method: string, path: string): DeclaredMatch => {
      const match = api.trie.match(method, path);
      return {
        operation: match?.value,
        variable: match?.variables.at(-1) ?? '',
        template: match ? undefined : api.trie.matchAnyMethod(path),
      };
    };
    const api: Api = {
      learned,
      declared: new Map(),
      trie: createTemplateTrie(),
      operations: {
        api: name,
        get variable() {
          return variable;
        },
        declaredFor,
        resolve(method, path, status, at, staticAsset, declared = declaredFor(method, path)) {
          variable = declared.variable;
          if (declared.operation) {
            countRequest(declared.operation, at);
            return declared.operation;
          }
          if (staticAsset) return undeclared(api, name, method, assetTemplate, status, at);
          if (declared.template !== undefined) return undeclared(api, name, method, declared.template, status, at);
          const operation = learned.resolve(method, path, status, at);
          variable = learned.variable;
          return operation;
        },
        list: () => [...api.declared.values(), ...learned.operations()],
      },
    };
    return api;
  }

  /** An operation whose template is known, though not with this method: its first proper answer makes it one. */
  function undeclared(
    api: Api,
    name: string,
    method: string,
    template: string,
    status: number,
    at: number,
  ): Operation | undefined {
    const key = `${method} ${canonicalTemplate(template)}`;
    let operation = api.declared.get(key);
    if (!operation) {
      if (answersNeeded(status) !== 1 || api.declared.size >= limits.maxOperations) return undefined;
      operation = createOperation(name, method, template);
      api.declared.set(key, operation);
      enter(name, operation);
    } else if (status === 404 && template === assetTemplate) return undefined;
    countRequest(operation, at);
    return operation;
  }

  function byId(lo: number, hi: number): { api: string; operation: Operation } | undefined {
    let at = { lo, hi };
    for (let hops = 0; hops < 24 && aliases.size() > 0; hops++) {
      const next = aliases.get(hashKey(at.lo, at.hi));
      if (!next) break;
      at = next.to;
    }
    return index.get(hashKey(at.lo, at.hi));
  }

  return {
    api: (name) => ensure(name).operations,
    setContract(name, contract) {
      const api = ensure(name);
      const before = api.declared;
      api.declared = new Map();
      api.trie = createTemplateTrie();
      for (const operation of before.values()) index.delete(hashKey(operation.lo, operation.hi));
      const add = (method: string, template: string, declared: boolean, deprecated: boolean): void => {
        const key = `${method} ${canonicalTemplate(template)}`;
        if (api.declared.has(key)) return;
        const operation = createOperation(name, method, template, declared, deprecated);
        carryCounts(before.get(key), operation);
        if (api.trie.add(method, template, operation)) api.declared.set(key, operation);
      };
      for (const { method, template, deprecated } of contract.declared) add(method, template, true, deprecated);
      for (const { method, template } of contract.named) if (method !== '') add(method, template, false, false);
      // Undeclared methods of declared templates, and assets, were learned: they stay.
      for (const [key, operation] of before) {
        if (!operation.declared && operation.count > 0 && !api.declared.has(key)) api.declared.set(key, operation);
      }
      for (const operation of api.declared.values()) enter(name, operation);
    },
    delete(name) {
      for (const o of apis.get(name)?.operations.list() ?? []) index.delete(hashKey(o.lo, o.hi));
      apis.delete(name);
    },
    byId,
    templateOf(lo, hi) {
      const found = byId(lo, hi);
      return found && `${found.operation.method} ${found.operation.template}`;
    },
    list: (name) => apis.get(name)?.operations.list() ?? [],
    toJSON() {
      const state: RegistryState = { version: 1, apis: {}, aliases: [] };
      for (const [name, api] of apis) {
        state.apis[name] = {
          learned: api.learned.toJSON(),
          declared: [...api.declared.values()]
            .filter((o) => o.count > 0)
            .map((o) => [o.method, o.template, o.count, o.firstSeen, o.lastSeen]),
        };
      }
      for (const [, a] of aliases.entries()) state.aliases.push([a.api, a.from.lo, a.from.hi, a.to.lo, a.to.hi]);
      return state;
    },
    restore(state) {
      for (const [name, saved] of Object.entries(state.apis)) {
        const api = ensure(name);
        api.learned.restore(saved.learned);
        for (const [method, template, count, firstSeen, lastSeen] of saved.declared) {
          const key = `${method} ${canonicalTemplate(template)}`;
          const operation = api.declared.get(key) ?? createOperation(name, method, template);
          Object.assign(operation, { count, firstSeen, lastSeen });
          api.declared.set(key, operation);
          enter(name, operation);
        }
      }
      aliases.clear();
      for (const [api, fromLo, fromHi, toLo, toHi] of state.aliases) {
        aliases.set(hashKey(fromLo, fromHi), { api, from: { lo: fromLo, hi: fromHi }, to: { lo: toLo, hi: toHi } });
      }
    },
  };
}

function carryCounts(from: Operation | undefined, to: Operation): void {
  if (!from) return;
  to.count = from.count;
  to.firstSeen = from.firstSeen;
  to.lastSeen = from.lastSeen;
}
