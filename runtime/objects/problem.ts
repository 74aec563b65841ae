import type { ObjectKey } from './object-store.ts';

export const problemReasons = [
  'Unreadable',
  'TooLarge',
  'TooMany',
  'NotText',
  'Syntax',
  'NotAnObject',
  'UnknownKind',
  'ForeignKind',
  'WrittenByPicket',
  'Invalid',
  'Duplicate',
] as const;
export type ProblemReason = (typeof problemReasons)[number];

/** What is wrong with a manifest, for the person who wrote it. */
export interface Problem {
  /** A warning costs nothing; an error means that something is not in force as written. */
  severity: 'Error' | 'Warning';
  reason: ProblemReason;
  /** Relative to the folder; "" = the folder itself. */
  file: string;
  /** From 1. */
  line?: number;
  column?: number;
  object?: ObjectKey;
  /** `spec.flows[0].match.path` */
  field?: string;
  /** Names the problem and the fix. */
  message: string;
  /** The object stays in force as it was before. */
  keptLastGood: boolean;
}

/** `shop.yaml:12:3: ProtectedAPI shop/payments: spec.mode: …` */
export function formatProblem(problem: Problem): string {
  const position = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`;
  const where = problem.file === '' ? '' : `${problem.file}${position}: `;
  const object = problem.object ? `${problem.object.kind} ${problem.object.namespace}/${problem.object.name}: ` : '';
  const field = problem.field === undefined ? '' : `${problem.field}: `;
  const kept = problem.keptLastGood ? ' (its last good state stays in force)' : '';
  return `${where}${object}${field}${problem.message}${kept}`;
}
