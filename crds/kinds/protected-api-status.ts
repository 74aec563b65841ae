import { enumeration, integer, keyedList, list, number, object } from '../schema/schema.ts';
import { conditions, enforcement, observedGeneration } from './conditions.ts';
import { count, duration, instant, level, principalKinds, ratio, score, text, texts } from './values.ts';

/** What Picket sees of an API. */
export const status = object('ProtectedAPIStatus', 'What Picket sees of the API.', {
  optional: {
    observedGeneration: observedGeneration(),
    conditions: conditions('Accepted, ResolvedRefs, Programmed, Observing, Learned, Ready'),
    risk: object('ApiRisk', 'The current behaviour risk.', {
      optional: {
        score: score('Highest score among principals.'),
        level: level('Level of that score.'),
        topPrincipals: list(
          'Principals with the highest scores.',
          object('RankedPrincipal', 'A principal and its score.', {
            required: {
              kind: enumeration('PrincipalKind', 'Kind of the principal.', principalKinds),
              pseudonym: text('Keyed hash of the principal.', 64),
              score: score('Its score.'),
            },
            optional: { verdict: text('Name of its RiskVerdict.', 253) },
          }),
          { maxItems: 10 },
        ),
        topFindings: list(
          'Detectors with the most findings.',
          object('RankedFinding', 'A detector and how many principals it found.', {
            required: { detector: text('Detector id.', 64), principals: count('Principals with this finding.') },
          }),
          { maxItems: 10 },
        ),
        since: instant('When the level was reached.'),
      },
    }),
    posture: object('ApiPosture', 'The risk of the API itself, apart from behaviour.', {
      optional: {
        score: score('Posture score.'),
        level: level('Level of that score.'),
        reasons: texts('What makes it so.', 16),
      },
    }),
    traffic: object('ApiTraffic', 'Traffic in the window.', {
      optional: {
        requestsPerSecond: number('Finished requests per second.', { minimum: 0 }),
        errorRatio: ratio('Share of responses with status 5xx.'),
        p50Ms: number('Median duration, milliseconds.', { minimum: 0 }),
        p95Ms: number('95th percentile of duration, milliseconds.', { minimum: 0 }),
        p99Ms: number('99th percentile of duration, milliseconds.', { minimum: 0 }),
        window: duration('Length of the window.'),
        completeness: ratio('Seen requests by expected requests. Left out while unknown.'),
      },
    }),
    operations: object('ApiOperations', 'Operations of the API.', {
      optional: {
        known: integer('Seen or declared.', { minimum: 0 }),
        declared: integer('Declared by the contract.', { minimum: 0 }),
        undocumented: integer('Seen, not declared.', { minimum: 0 }),
        unused: integer('Declared, not seen.', { minimum: 0 }),
        shadow: integer('Seen only around the gateway.', { minimum: 0 }),
      },
    }),
    learning: object('ApiLearning', 'How far the baselines are.', {
      optional: {
        phase: enumeration('LearningPhase', 'Phase of learning.', ['Cold', 'Learning', 'Learned']),
        observations: count('Requests learned from.'),
        since: instant('Time of the first of them.'),
        gates: keyedList(
          'What Learned takes.',
          ['name'],
          object('LearningGate', 'One number that must be reached.', {
            required: {
              name: text('What is counted.', 64),
              have: number('Value now.'),
              need: number('Value to reach.'),
            },
          }),
          { maxItems: 16 },
        ),
        outcomes: keyedList(
          'Flows without a declared success rule: what Picket learned.',
          ['flow'],
          object('LearnedOutcome', 'The learned rule of a flow.', {
            required: { flow: text('Name of the flow.', 63), rule: text('What counts as success.') },
          }),
          { maxItems: 64 },
        ),
      },
    }),
    enforcement: enforcement({ active: integer('Decisions in force.', { minimum: 0 }) }),
    columns: object('ApiColumns', 'Figures formatted for kubectl get.', {
      optional: {
        errors: text('Share of errors in percent.', 16),
        p99: text('99th percentile with its unit.', 16),
        complete: text('Completeness in percent, or Unknown.', 16),
      },
    }),
  },
});
