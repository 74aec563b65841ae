import { boolean, enumeration, list, number, object, string } from '../schema/schema.ts';
import { type Kind } from '../schema/kind.ts';
import { conditions, enforcement, observedGeneration } from './conditions.ts';
import { actions, count, instant, level, localReference, principalKinds, ratio, score, text, texts } from './values.ts';

const spec = object('RiskVerdictSpec', 'Whom the verdict is about, and what a person thinks of it.', {
  required: {
    apiRef: {
      ...localReference('VerdictApiRef', 'The API that the verdict is about.'),
      rules: [{ rule: 'self == oldSelf', message: 'a verdict stays with its API; set only spec.review' }],
    },
    principal: object(
      'VerdictPrincipal',
      'The principal that the verdict is about.',
      {
        required: {
          kind: enumeration('PrincipalKind', 'Kind of the principal.', principalKinds),
          pseudonym: string('Keyed hash of the principal, in hex.', {
            pattern: '^[0-9a-f]{8,64}$',
            minLength: 8,
            maxLength: 64,
          }),
        },
      },
      { rules: [{ rule: 'self == oldSelf', message: 'a verdict stays with its principal; set only spec.review' }] },
    ),
  },
  optional: {
    review: object(
      'Review',
      'The judgement of a person. FalsePositive and BenignTrigger lift the decision at once; all three teach the calibration.',
      {
        required: {
          disposition: enumeration('Disposition', 'What it really was.', [
            'TruePositive',
            'FalsePositive',
            'BenignTrigger',
          ]),
        },
        optional: { by: text('Who says so.', 256), note: text('Why.', 1024) },
      },
    ),
  },
});

const finding = object('VerdictFinding', "One detector's statement.", {
  required: {
    detector: text('Detector id.', 64),
    since: instant('Start of the window.'),
    pValue: number('Probability of evidence at least this strong for a principal in good standing.', {
      minimum: 0,
      maximum: 1,
    }),
    observed: number('What was counted.'),
    expected: number('What was expected.'),
  },
  optional: {
    unit: text('What was counted, in words.', 128),
    baseline: object('FindingBaseline', 'What the expectation rests on.', {
      required: { n: count('Samples.'), age: text('Age of the baseline, for example 26h.', 32) },
      optional: { prior: boolean('Whether a population prior stood in for a learned baseline.') },
    }),
    owasp: texts('OWASP API Security Top 10 (2023) ids.', 4, 16),
    oat: texts('OWASP Automated Threat ids.', 4, 16),
    share: ratio('Share of the score.'),
  },
});

const status = object('RiskVerdictStatus', 'The scored judgement.', {
  optional: {
    observedGeneration: observedGeneration(),
    conditions: conditions('Active, Programmed, Reviewed'),
    score: score('0 to 100, decayed to lastSeen.'),
    level: level('Level of the score.'),
    confidence: ratio('How much the baselines behind the score can carry.'),
    firstSeen: instant('First evidence.'),
    lastSeen: instant('Last evidence.'),
    expiresAt: instant('When the verdict ends without new evidence.'),
    requests: count('Requests of the principal in the window.'),
    findings: list('What detectors found, strongest first.', finding, { maxItems: 8 }),
    contributions: list(
      'What the score is made of; the points add up to it.',
      object('ScoreContribution', 'One part of the score.', {
        required: {
          source: text(
            'Detector id, corroboration, criticality, outcome, reputation, or "inherited from" and the name of a verdict.',
            96,
          ),
          points: number('Points of the score.'),
        },
      }),
      { maxItems: 16 },
    ),
    campaign: object('VerdictCampaign', 'What the members of a campaign share.', {
      optional: {
        traits: list(
          'Traits that all members share.',
          object('VerdictTrait', 'One shared trait.', {
            required: {
              trait: enumeration('Trait', 'Kind of the trait.', [
                'network',
                'asn',
                'userAgent',
                'ja4',
                'headerShape',
                'operation',
                'address',
              ]),
              value: text('Pseudonym or number of the trait.', 128),
            },
          }),
          { maxItems: 8 },
        ),
        precision: ratio('Share of requests with these traits that belong to the campaign.'),
        addresses: count('Addresses that took part.'),
        accounts: count('Accounts that were tried.'),
      },
    }),
    evidence: object('VerdictEvidence', 'How to check the verdict.', {
      optional: {
        requestIds: texts('Sample requests.', 5, 128),
        replay: text('Command that computes the verdict again from stored rows.', 512),
        benignIf: text('What would make it benign.', 512),
      },
    }),
    enforceable: object('VerdictEnforceable', 'Whether a decision can be made.', {
      required: { ok: boolean('Whether it can.') },
      optional: { reason: text('Why not, in one CamelCase word.', 64), message: text('Why not, and the fix.', 512) },
    }),
    decision: object('VerdictDecision', 'What follows from the verdict.', {
      required: {
        action: enumeration('Action', 'What happens.', actions),
        mode: enumeration('Mode', 'Mode of the policy that decided.', ['Observe', 'DryRun', 'Enforce']),
        decidedAt: instant('When it was decided.'),
        expiresAt: instant('When it ends.'),
      },
      optional: {
        id: text('Id of the decision; Envoy names it in the details of a refused request.', 64),
        policyRef: localReference('DecisionPolicyRef', 'The policy that decided.'),
        revision: text('Revision of the compiled policy.', 64),
        evidenceCompleteAt: instant('Completion of the last request of the evidence.'),
      },
    }),
    enforcement: enforcement({ programmedAt: instant('When all Envoys had acknowledged.') }),
    detectorVersion: text('Version of the detectors.', 64),
    columns: object('VerdictColumns', 'Figures formatted for kubectl get.', {
      optional: { principal: text('Kind and short pseudonym.', 64), why: text('Detectors, strongest first.', 256) },
    }),
  },
});

export const riskVerdict: Kind = {
  kind: 'RiskVerdict',
  plural: 'riskverdicts',
  shortName: 'rv',
  writer: 'Picket',
  description: 'The current judgement on one principal. Picket creates it; a person may set spec.review.',
  spec,
  status,
  columns: [
    { name: 'API', type: 'string', jsonPath: '.spec.apiRef.name', description: 'The API.' },
    { name: 'Principal', type: 'string', jsonPath: '.status.columns.principal', description: 'Kind and pseudonym.' },
    { name: 'Level', type: 'string', jsonPath: '.status.level', description: 'Level of the score.' },
    { name: 'Score', type: 'integer', jsonPath: '.status.score', description: 'Score, 0 to 100.' },
    { name: 'Action', type: 'string', jsonPath: '.status.decision.action', description: 'Decision in force.' },
    {
      name: 'Mode',
      type: 'string',
      jsonPath: '.status.decision.mode',
      description: 'Mode of the policy.',
      priority: 1,
    },
    { name: 'Why', type: 'string', jsonPath: '.status.columns.why', description: 'Detectors, strongest first.' },
    { name: 'Expires', type: 'string', jsonPath: '.status.expiresAt', description: 'When the verdict ends.' },
  ],
  example: `metadata:
  name: payments-user-7f3a9c12
  namespace: shop
spec:
  apiRef: { name: payments }
  principal: { kind: User, pseudonym: 7f3a9c12d04be865 }
  review: { disposition: FalsePositive, by: ops@example.com, note: load test }
`,
};
