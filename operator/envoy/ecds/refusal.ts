import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';

/** Longest message that is kept of a refusal, characters. */
const maxLength = 240;

/**
 * Envoy's words about a refused filter without the match values it may quote: only the first line, and every value of
 * the decisions replaced.
 */
export function describeRefusal(message: string, decisions: Iterable<Decision>): string {
  let text = message.split('\n', 1)[0] ?? '';
  for (const value of valuesOf(decisions)) if (value.length > 0) text = text.replaceAll(value, '…');
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}

function* valuesOf(decisions: Iterable<Decision>): Generator<string> {
  for (const { match } of decisions) {
    for (const { predicate } of match) {
      if (predicate.case === 'entity') yield predicate.value.value;
      else if (predicate.case === 'addresses') yield* predicate.value.cidrs;
      else if (predicate.case === 'ja4' || predicate.case === 'userAgent') yield predicate.value;
    }
  }
}
