import { enumeration, exactlyOneOf, integer, list, object, string } from '../schema/schema.ts';
import { ageColumn, conditionColumn, type Kind } from '../schema/kind.ts';
import { conditions, observedGeneration } from './conditions.ts';
import { count, instant, localReference, principalKinds } from './values.ts';

const subject = object(
  'ExemptSubject',
  'Someone who is never acted on.',
  {
    optional: {
      principal: object('ExemptPrincipal', 'A principal by the value that requests carry.', {
        required: {
          kind: enumeration(
            'ExemptPrincipalKind',
            'Kind of the principal.',
            principalKinds.filter((kind) => kind !== 'Campaign'),
          ),
          value: string('The value as a request carries it; Picket keeps only its hash.', {
            minLength: 1,
            maxLength: 512,
          }),
        },
      }),
      cidr: string('Addresses, for example 192.0.2.0/24 or 2001:db8::/32.', {
        minLength: 1,
        maxLength: 64,
        rules: [{ rule: 'isCIDR(self)', message: 'must be a network in CIDR notation, for example 192.0.2.0/24' }],
      }),
      workload: string('SPIFFE id of the calling workload.', {
        pattern: '^spiffe://[^/]+(/[^/]+)+$',
        maxLength: 512,
      }),
    },
  },
  { rules: [exactlyOneOf('principal', 'cidr', 'workload')] },
);

const spec = object(
  'PolicyExemptionSpec',
  'Who is never acted on, why, whose decision, until when.',
  {
    required: {
      subjects: list('Whom the exemption is for.', subject, { minItems: 1, maxItems: 256 }),
      reason: string('Why.', { minLength: 1, maxLength: 1024 }),
      owner: string('Who decided it and answers for it.', { minLength: 1, maxLength: 256 }),
      expiresAt: instant('When the exemption ends; at most a year (366 days) after it begins.'),
    },
    optional: {
      grantedAt: instant('When the exemption begins. Left out, when the object was created.'),
      apis: list(
        'APIs it applies to. Left out, every API of the namespace.',
        localReference('ExemptApiRef', 'An API.'),
        { minItems: 1, maxItems: 64 },
      ),
    },
  },
  {
    rules: [
      {
        rule: "!has(self.grantedAt) || (self.expiresAt > self.grantedAt && self.expiresAt - self.grantedAt <= duration('8784h'))",
        message: 'must be after grantedAt and at most a year (366 days) later; renew the exemption then',
        fieldPath: '.expiresAt',
      },
    ],
  },
);

const status = object('PolicyExemptionStatus', 'What the exemption did.', {
  optional: {
    observedGeneration: observedGeneration(),
    conditions: conditions('Accepted, Expired, Ready'),
    matchesLastDay: count('Requests of exempted subjects in the last 24 hours.'),
    suppressed: integer('Decisions that the exemption holds back now.', { minimum: 0 }),
  },
});

export const policyExemption: Kind = {
  kind: 'PolicyExemption',
  plural: 'policyexemptions',
  shortName: 'pex',
  writer: 'Person',
  description: 'Who is never acted on, why, whose decision, until when.',
  spec,
  status,
  columns: [
    { name: 'Owner', type: 'string', jsonPath: '.spec.owner', description: 'Who answers for it.' },
    { name: 'Until', type: 'string', jsonPath: '.spec.expiresAt', description: 'When it ends.' },
    conditionColumn('Expired', 'Expired', 'Whether it has ended.'),
    { name: 'Matches', type: 'integer', jsonPath: '.status.matchesLastDay', description: 'Requests in the last day.' },
    { name: 'Reason', type: 'string', jsonPath: '.spec.reason', description: 'Why.', priority: 1 },
    ageColumn,
  ],
  example: `metadata:
  name: load-test
  namespace: shop
spec:
  subjects:
  - cidr: 192.0.2.0/24
  - principal: { kind: App, value: synthetic-monitor }
  apis: [{ name: payments }]
  reason: Weekly load test of the payments team
  owner: payments-oncall@example.com
  grantedAt: "2026-01-05T00:00:00Z"
  expiresAt: "2026-07-01T00:00:00Z"
`,
};
