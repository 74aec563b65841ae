/** Which object a request touches: declared by rule, or inferred from an operation whose variable or parameter is an identifier. */
import type { ObjectRule } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { isIdentifier } from '../operations/segment.ts';
import { createTemplateTrie, type TemplateTrie } from '../operations/template-trie.ts';
import type { RequestTarget } from './request-target.ts';
import { createGenerationMap } from './generation-map.ts';
import { createNumberMap } from './number-map.ts';
import { digest, type SipKey, siphash, siphashScoped } from './siphash.ts';

export interface FoundObject {
  lo: number;
  hi: number;
  /** Raw id. */
  text: string;
  /** The number in it, for distances; NaN when it is none. */
  number: number;
  /** What the ids of inferred objects count within: operation, or path and parameter. */
  scope: string;
  inferred: boolean;
}

export interface ObjectFinder {
  /** By rule; null: a rule holds, and its variable is empty; undefined: none does. */
  ruled(method: string, path: string): FoundObject | null | undefined;
  /** By what stands where ids stand: the parameter of an operation (`scope`, `variable`), else of the query; null: nowhere. */
  inferred(target: RequestTarget, scope: string, variable: string): FoundObject | null;
}

interface Rule {
  kind: string;
  variable: string;
}

/** @param api id words: two APIs may number their objects alike. */
export function createObjectFinder(
  rules: readonly ObjectRule[],
  api: { lo: number; hi: number },
  key: SipKey,
): ObjectFinder {
  const trie: TemplateTrie<Rule> = createTemplateTrie();
  for (const rule of rules) {
    trie.add(rule.method.toUpperCase(), rule.path, { kind: rule.kind, variable: rule.variable });
  }

  function take(kind: string, text: string, scope: string, inferred: boolean): FoundObject {
    siphashScoped(key, api.lo, api.hi, `${kind}\0${text}`);
    return { lo: digest.lo, hi: digest.hi, text, number: trailingNumber(text), scope, inferred };
  }

  return {
    ruled(method, path) {
      const match = trie.match(method, path);
      if (!match) return undefined;
      const at = match.names.indexOf(match.value.variable);
      const text = at < 0 ? '' : (match.variables[at] as string);
      return text === '' ? null : take(match.value.kind, text, '', false);
    },
    inferred(target, scope, variable) {
      if (scope !== '' && variable !== '' && isIdentifier(variable)) return take(scope, variable, scope, true);
      if (target.parameter === '') return null;
      const within = `${target.path}?${target.parameter}`;
      return take(within, target.parameterId, within, true);
    },
  };
}

export interface ObjectSteps {
  /** Numeric distance to the object that this principal touched before in this scope; NaN when unknown. */
  step(principalLo: number, principalHi: number, scope: string, id: number): number;
  entries(): [number, number][];
  restore(entries: readonly [number, number][]): void;
}

/** @param capacity principal and scope pairs per generation. */
export function createObjectSteps(key: SipKey, capacity = 131_072): ObjectSteps {
  const last = createNumberMap(capacity);
  const scopes = createGenerationMap<string, number>(4096, (k) => k.length);
  return {
    step(lo, hi, scope, value) {
      if (Number.isNaN(value)) return Number.NaN;
      let mark = scopes.get(scope);
      if (mark === undefined) {
        siphash(key, scope);
        mark = digest.lo;
        scopes.set(scope, mark);
      }
      const slot = ((hi ^ mark) >>> 0) * 0x200000 + (lo >>> 11);
      const before = last.get(slot);
      last.set(slot, value);
      return value - before;
    },
    entries: () => [...last.entries()],
    restore(entries) {
      last.clear();
      for (const [slot, value] of entries) last.set(slot, value);
    },
  };
}

/** "inv_1042" and "1042" are 1042; NaN without digits at the end or past 2^53. */
function trailingNumber(text: string): number {
  let from = text.length;
  while (from > 0) {
    const c = text.charCodeAt(from - 1);
    if (c < 48 || c > 57) break;
    from--;
  }
  if (from === text.length || text.length - from > 15) return Number.NaN;
  // Hex and random ids end in digits by chance: only a number, or a name and a number, counts.
  if (/[a-z]\d|\d[a-z]/i.test(text.slice(0, from)) || /\d/.test(text.slice(0, from))) return Number.NaN;
  return Number(text.slice(from));
}
