/** Business meaning of a request: which flow it belongs to, its account, amount and counterparty, and its outcome. */
import type { Flow, FlowType, OutcomeTest, ValueSource } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { FLOW_METADATA_NAMESPACE, flowMetadataKey } from '@picket/proto/flow-metadata.ts';
import type { AccessRecord } from '../ingest/access-record.ts';
import { Outcome } from '../observation.ts';
import { createTemplateTrie, type TemplateTrie } from '../operations/template-trie.ts';
import { claimText } from './jwt.ts';
import { createOutcomeLearner, type OutcomeLearner } from './outcome.ts';
import { queryValue } from './request-target.ts';

/** Longest account or counterparty; longer ones are no names. */
const maxFactLength = 320;

export interface CompiledFlow {
  name: string;
  type: FlowType;
  /** Lower case, trimmed; "" when unknown. */
  account(record: AccessRecord, query: string): string;
  counterparty(record: AccessRecord, query: string): string;
  /** NaN when unknown. */
  amount(record: AccessRecord, query: string): number;
  /** Undefined: not declared, learned. */
  declaredOutcome: ((record: AccessRecord) => Outcome) | undefined;
  learner: OutcomeLearner;
}

export interface CompiledFlows {
  readonly list: readonly CompiledFlow[];
  match(method: string, path: string): CompiledFlow | undefined;
  /** The flow that a GET of this path shows the form of. */
  formOf(path: string): CompiledFlow | undefined;
}

/** @param learners kept across policy changes, by flow name. */
export function compileFlows(flows: readonly Flow[], learners: Map<string, OutcomeLearner>): CompiledFlows {
  const trie: TemplateTrie<CompiledFlow> = createTemplateTrie();
  const forms: TemplateTrie<CompiledFlow> = createTemplateTrie();
  const list: CompiledFlow[] = [];
  for (const flow of flows) {
    let learner = learners.get(flow.name);
    if (!learner) {
      learner = createOutcomeLearner(flow.type);
      learners.set(flow.name, learner);
    }
    const account = compileText(flow.name, flow.account);
    const counterparty = compileText(flow.name, flow.counterparty);
    const amount = compileText(flow.name, flow.amount);
    const compiled: CompiledFlow = {
      name: flow.name,
      type: flow.type,
      account: (record, query) => account(record, query).trim().toLowerCase(),
      counterparty: (record, query) => counterparty(record, query).trim(),
      amount: (record, query) => parseAmount(amount(record, query)),
      declaredOutcome: flow.success.length === 0 ? undefined : compileOutcome(flow),
      learner,
    };
    list.push(compiled);
    trie.add(flow.method.toUpperCase(), flow.path, compiled);
    if (flow.method.toUpperCase() === 'POST') forms.add('GET', flow.path, compiled);
  }
  return {
    list,
    match: (method, path) => trie.match(method, path)?.value,
    formOf: (path) => forms.match('GET', path)?.value,
  };
}

type ReadText = (record: AccessRecord, query: string) => string;

function compileText(flow: string, source: ValueSource | undefined): ReadText {
  const from = source?.from;
  switch (from?.case) {
    case 'requestField': {
      const key = flowMetadataKey(flow, 'request', from.value);
      return (record) => bounded(claimText(record.metadata(FLOW_METADATA_NAMESPACE, key)));
    }
    case 'header': {
      const name = from.value.toLowerCase();
      return (record) => bounded(record.requestHeaders.get(name) ?? '');
    }
    case 'query': {
      const name = from.value;
      return (_, query) => (query === '' ? '' : bounded(queryValue(query, name)));
    }
    default:
      return () => '';
  }
}

function bounded(text: string): string {
  return text.length > maxFactLength ? '' : text;
}

function parseAmount(text: string): number {
  if (text === '') return Number.NaN;
  const amount = Number(text);
  return Number.isFinite(amount) ? amount : Number.NaN;
}

/** Success when any clause holds; failure when an answer is there and none does. */
function compileOutcome(flow: Flow): (record: AccessRecord) => Outcome {
  const clauses = flow.success.map((clause) => clause.all.map((test) => compileTest(flow.name, test)));
  return (record) => {
    // Gateway errors and vanished clients say nothing about the attempt.
    if (record.status === 0 || record.status >= 502) return Outcome.unknown;
    let undecided = false;
    for (const tests of clauses) {
      let all: boolean | undefined = true;
      for (const test of tests) {
        const held = test(record);
        if (held === false) {
          all = false;
          break;
        }
        if (held === undefined) all = undefined;
      }
      if (all === true) return Outcome.success;
      if (all === undefined) undecided = true;
    }
    return undecided ? Outcome.unknown : Outcome.failure;
  };
}

/** Undefined: the feed did not deliver what the test looks at. */
function compileTest(flow: string, test: OutcomeTest): (record: AccessRecord) => boolean | undefined {
  switch (test.test.case) {
    case 'status': {
      const codes = new Set(test.test.value.codes);
      return (record) => codes.has(record.status);
    }
    case 'responseField': {
      const key = flowMetadataKey(flow, 'response', test.test.value.pointer);
      const wanted = jsonScalar(test.test.value.equalsJson);
      return (record) => {
        const value = record.metadata(FLOW_METADATA_NAMESPACE, key);
        return value === undefined ? undefined : value === wanted || String(value) === String(wanted);
      };
    }
    case 'responseHeader': {
      const name = test.test.value.toLowerCase();
      return (record) => record.responseHeaders.has(name);
    }
    case undefined:
      return () => undefined;
  }
}

function jsonScalar(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
