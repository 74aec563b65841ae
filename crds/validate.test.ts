import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import { describe, expect, it } from 'vitest';
import { kinds } from './kinds/kinds.ts';
import { API_VERSION, formatFieldError, listMapKeys, validateObject } from './validate.ts';

const corpus = new URL('testdata/', import.meta.url);

interface Case {
  name: string;
  object: Record<string, unknown>;
  old: unknown;
  expected: string[];
}

/** Each file holds an object, or what it was and what it shall become; expected messages stand in comments on top. */
function readCases(folder: 'valid' | 'invalid'): Case[] {
  const url = new URL(`${folder}/`, corpus);
  return readdirSync(url).map((name) => {
    const text = readFileSync(new URL(name, url), 'utf8');
    const documents = parseAllDocuments(text).map((document) => document.toJS());
    const expected = text
      .split('\n')
      .filter((line) => line.startsWith('# expect: '))
      .map((line) => line.slice('# expect: '.length));
    return { name, object: documents.at(-1), old: documents.length > 1 ? documents[0] : undefined, expected };
  });
}

function validate({ object, old }: Case) {
  const kind = String(object['kind']);
  return validateObject(kind, object, old === undefined ? undefined : validateObject(kind, old).defaulted);
}

describe('objects that Kubernetes rejects', () => {
  it.each(readCases('invalid'))('$name with the same messages', (file) => {
    expect(file.expected.length).toBeGreaterThan(0);
    expect(validate(file).errors.map(formatFieldError).sort()).toEqual([...file.expected].sort());
  });
});

describe('objects that Kubernetes accepts', () => {
  it.each(readCases('valid'))('$name', (file) => {
    expect(validate(file).errors).toEqual([]);
  });

  it.each(kinds.map((kind) => ({ name: kind.kind, kind })))('the example of $name in its reference', ({ kind }) => {
    const text = `apiVersion: ${API_VERSION}\nkind: ${kind.kind}\n${kind.example}`;
    const object = parseAllDocuments(text)[0]?.toJS() as unknown;
    expect(validateObject(kind.kind, object).errors).toEqual([]);
  });
});

function policy(spec: Record<string, unknown>) {
  return {
    apiVersion: API_VERSION,
    kind: 'BehaviorPolicy',
    metadata: { name: 'shop' },
    spec: { targetRefs: [{ kind: 'ProtectedAPI', name: 'shop' }], ...spec },
  };
}

describe('validateObject', () => {
  it('fills in defaults at every depth and leaves the given object alone', () => {
    const given = policy({ detectors: { scraping: {} } });
    const { defaulted } = validateObject('BehaviorPolicy', given);
    expect(defaulted['spec']).toMatchObject({
      mode: 'Observe',
      falseAlertBudget: { perDay: 2 },
      safety: { maxShareOfPrincipals: '1%', maxShareOfRequests: '2%', minBaseline: '24h', maxPrincipalsPerAddress: 5 },
      detectors: { scraping: { enabled: true, sensitivity: 'Normal' } },
      targetRefs: [{ group: 'picket.dev' }],
    });
    expect(given.spec).toEqual({
      targetRefs: [{ kind: 'ProtectedAPI', name: 'shop' }],
      detectors: { scraping: {} },
    });
  });

  it('guesses what a misspelt field, value or kind was meant to be', () => {
    const hints = (spec: Record<string, unknown>) =>
      validateObject('BehaviorPolicy', policy(spec)).errors.flatMap((error) => error.hint ?? []);
    expect(hints({ mode: 'Enforc' })).toEqual(['did you mean "Enforce"?']);
    expect(hints({ falseAlertsBudget: { perDay: 2 } })).toEqual(['did you mean "falseAlertBudget"?']);
    expect(validateObject('BehaviourPolicy', {}).errors[0]?.hint).toBe('did you mean "BehaviorPolicy"?');
  });

  it('removes unknown fields from the result, so that a mistake never becomes configuration', () => {
    const { defaulted, errors } = validateObject('BehaviorPolicy', policy({ modes: 'Enforce' }));
    expect(errors.map((error) => error.path)).toEqual(['spec.modes']);
    expect(defaulted['spec']).not.toHaveProperty('modes');
  });

  it('rejects another version with the one it knows', () => {
    const [error] = validateObject('BehaviorPolicy', { ...policy({}), apiVersion: 'picket.dev/v1' }).errors;
    expect(error).toMatchObject({
      path: 'apiVersion',
      message: 'Invalid value: "picket.dev/v1": must be picket.dev/v1alpha1',
    });
  });

  it('bounds a score in status', () => {
    const verdict = {
      apiVersion: API_VERSION,
      kind: 'RiskVerdict',
      metadata: { name: 'shop-user-7f3a9c12' },
      spec: { apiRef: { name: 'shop' }, principal: { kind: 'User', pseudonym: '7f3a9c12d04be865' } },
      status: { score: 101 },
    };
    expect(validateObject('RiskVerdict', verdict).errors.map(formatFieldError)).toEqual([
      'status.score: Invalid value: 101: status.score in body should be less than or equal to 100',
    ]);
  });

  it.each([[null], ['text'], [[]], [7], [undefined]])('takes %j for what it is: no object', (value) => {
    expect(validateObject('BehaviorPolicy', value).errors).toHaveLength(1);
  });

  it('does not look into a list that is too long', () => {
    const hosts = Array.from({ length: 100_000 }, () => 'UPPER');
    const { errors } = validateObject('ProtectedAPI', {
      apiVersion: API_VERSION,
      kind: 'ProtectedAPI',
      metadata: { name: 'shop' },
      spec: { hosts },
    });
    expect(errors.map((error) => error.message)).toEqual([
      'Too many: 100000: must have at most 64 items',
      expect.stringContaining('some validation rules were not checked'),
    ]);
  });
});

/** Puts `value` in place of one node of `object`, chosen by `choice`. */
function replaceSomewhere(object: unknown, choice: number, value: unknown): void {
  const places: (() => void)[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      places.push(() => Object.assign(node, { [key]: value }));
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(object);
  places[choice % Math.max(places.length, 1)]?.();
}

it('answers with errors, never with an exception, whatever stands in a field', () => {
  const files = readCases('valid');
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.jsonValue({ maxDepth: 2 }), (file, choice, value) => {
      const object = structuredClone(files[file % files.length]?.object);
      replaceSomewhere(object, choice, value);
      const kind = object?.['kind'];
      // The value itself may stand in place of the kind, and not every one can be made a text.
      const { errors } = validateObject(typeof kind === 'string' ? kind : '', object, object);
      for (const error of errors) expect(formatFieldError(error)).not.toContain('evaluating rule');
    }),
    { numRuns: 1000 },
  );
});

describe('listMapKeys', () => {
  it('names the keys of lists that several writers share', () => {
    expect(listMapKeys('RiskVerdict', ['status', 'conditions'])).toEqual(['type']);
    expect(listMapKeys('BehaviorPolicy', ['status', 'targets', 'conditions'])).toEqual(['type']);
    expect(listMapKeys('ProtectedAPI', ['spec', 'flows'])).toEqual(['name']);
    expect(listMapKeys('ProtectedAPI', ['spec', 'objects'])).toBeUndefined();
    expect(listMapKeys('ConfigMap', ['data'])).toBeUndefined();
  });
});
