import {
  boolean,
  enumeration,
  exactlyOneOf,
  integer,
  list,
  map,
  number,
  object,
  type Schema,
  set,
  string,
} from '../schema/schema.ts';
import { ageColumn, conditionColumn, type Kind } from '../schema/kind.ts';
import { conditions, observedGeneration } from './conditions.ts';
import {
  actions,
  count,
  dnsLabel,
  duration,
  durationRule,
  instant,
  objectName,
  percent,
  principalKinds,
  text,
} from './values.ts';

function detector(typeName: string, description: string, limits: Record<string, Schema> = {}): Schema {
  return object(typeName, description, {
    optional: {
      enabled: boolean('Whether the detector contributes to scores.', { default: true }),
      sensitivity: enumeration(
        'Sensitivity',
        'Share of the alert budget that the detector gets.',
        ['Low', 'Normal', 'High'],
        'Normal',
      ),
      ...limits,
    },
  });
}

const detectors = object('Detectors', 'Settings of detectors. All are on; name only what differs.', {
  optional: {
    bruteForce: detector('BruteForceDetector', 'Many failed logins on one account.'),
    credentialStuffing: detector('CredentialStuffingDetector', 'Many accounts tried from one source.'),
    distributedStuffing: detector(
      'DistributedStuffingDetector',
      'Many accounts tried from many sources with a shared trait.',
    ),
    objectEnumeration: detector('ObjectEnumerationDetector', 'Walking the ids of objects that belong to others.', {
      maxForeignObjects: integer('Objects of others that a principal may touch. Left out, it is learned.', {
        minimum: 1,
        maximum: 1_000_000,
      }),
    }),
    scraping: detector('ScrapingDetector', 'Reading in bulk.'),
    tokenAbuse: detector('TokenAbuseDetector', 'One token, key or session used from many networks or devices.'),
    excess: detector('ExcessDetector', 'More requests than this principal and its peers make.'),
    probing: detector('ProbingDetector', 'Scanners and forced browsing.'),
  },
});

const response = object(
  'PolicyResponse',
  'What happens to a principal from a level upwards.',
  {
    required: {
      level: enumeration('ResponseLevel', 'Level from which the response applies.', [
        'Low',
        'Elevated',
        'High',
        'Critical',
      ]),
      action: enumeration('Action', 'What happens.', actions),
      for: duration('How long the first time; repeats lengthen it up to maxFor.'),
    },
    optional: {
      maxFor: duration('Longest duration after repeats. Left out, twelve times `for`, at most seven days.'),
      throttle: object('Throttle', 'Rate of a Throttle.', {
        required: {
          requestsPerMinute: integer('Requests per minute and Envoy process that one principal keeps.', {
            minimum: 1,
            maximum: 60_000,
          }),
        },
      }),
      flows: set(
        'Flows of the API that the response is limited to. Left out, the whole API.',
        dnsLabel('Name of a flow.'),
        {
          minItems: 1,
          maxItems: 32,
        },
      ),
    },
  },
  {
    rules: [
      {
        rule: "(self.action == 'Throttle') == has(self.throttle)",
        message: 'action Throttle needs throttle.requestsPerMinute, and no other action takes it',
        fieldPath: '.throttle',
      },
      {
        rule: "self.action != 'Deny' || self.level in ['High', 'Critical']",
        message: 'Deny may stand at level High or Critical; use Tag, Throttle or Challenge below',
        fieldPath: '.action',
      },
      durationRule(
        ['__for__'],
        "duration(self.__for__) >= duration('10s') && duration(self.__for__) <= duration('168h')",
        'must be from 10s to 168h; no decision is permanent',
        '.for',
      ),
      durationRule(
        ['__for__', 'maxFor'],
        "duration(self.maxFor) >= duration(self.__for__) && duration(self.maxFor) <= duration('168h')",
        'must be at least `for` and at most 168h; no decision is permanent',
        '.maxFor',
      ),
    ],
  },
);

const spec = object(
  'BehaviorPolicySpec',
  'How anomalous is too much, and what happens then.',
  {
    optional: {
      targetRefs: list(
        'APIs that the policy applies to, by name.',
        object('PolicyTargetRef', 'An API in the same namespace.', {
          required: {
            kind: enumeration('PolicyTargetKind', 'Kind of the target.', ['ProtectedAPI']),
            name: objectName('Name of the API.'),
          },
          optional: {
            group: enumeration('PolicyTargetGroup', 'API group of the target.', ['picket.dev'], 'picket.dev'),
          },
        }),
        { minItems: 1, maxItems: 64 },
      ),
      targetSelector: object(
        'PolicyTargetSelector',
        'APIs in the same namespace that the policy applies to, by label.',
        {
          required: {
            matchLabels: map(
              'Labels that an API must carry, all of them. An empty map selects every API.',
              string('Value of the label.', { maxLength: 63 }),
              { maxProperties: 16 },
            ),
          },
        },
      ),
      mode: enumeration(
        'Mode',
        'Observe scores and reports. DryRun also decides and shows what it would do. Enforce acts in Envoy.',
        ['Observe', 'DryRun', 'Enforce'],
        'Observe',
      ),
      falseAlertBudget: object(
        'FalseAlertBudget',
        'The one sensitivity knob: it drives every threshold.',
        {
          optional: {
            perDay: number('False alerts per API and day that you accept.', {
              minimum: 0,
              exclusiveMinimum: true,
              maximum: 1000,
              default: 2,
            }),
          },
        },
        { default: {} },
      ),
      detectors,
      responses: list('The ladder of responses. The highest level that a principal reached counts.', response, {
        maxItems: 16,
        default: [
          { level: 'Elevated', action: 'Tag', for: '30m' },
          { level: 'High', action: 'Throttle', for: '10m', throttle: { requestsPerMinute: 30 } },
          { level: 'Critical', action: 'Deny', for: '15m', maxFor: '12h' },
        ],
      }),
      actOn: set(
        'Kinds of principals that responses may act on. Network must be asked for: it hits everyone behind it.',
        enumeration('PrincipalKind', 'A kind of principal.', principalKinds),
        { maxItems: 9, default: ['User', 'App', 'Address', 'Campaign'] },
      ),
      safety: object(
        'Safety',
        'Limits to the damage that a wrong decision can do, counted over principals and requests in good standing before the incident.',
        {
          optional: {
            maxShareOfPrincipals: percent('Share of principals in good standing that may be acted on.', '1%'),
            maxShareOfRequests: percent('Share of their requests that may be acted on.', '2%'),
            minBaseline: duration('Age of the baseline below which nothing is enforced.', '24h'),
            maxPrincipalsPerAddress: integer(
              'Deny on an address is refused while more principals than this share it.',
              {
                minimum: 1,
                maximum: 10_000,
                default: 5,
              },
            ),
          },
        },
        { default: {} },
      ),
      failure: enumeration(
        'Failure',
        'What Envoy does with requests while Picket cannot be reached. Open lets them pass.',
        ['Open'],
        'Open',
      ),
    },
  },
  {
    rules: [exactlyOneOf('targetRefs', 'targetSelector')],
  },
);

const status = object('BehaviorPolicyStatus', 'Where the policy applies and what it does.', {
  optional: {
    observedGeneration: observedGeneration(),
    conditions: conditions('Accepted, Attached, Programmed, Enforced, WithinSafety, Ready'),
    attachedTargets: integer('APIs that the policy is in force for.', { minimum: 0 }),
    targets: list(
      'State for each API; the first 64.',
      object('PolicyTargetStatus', 'State for one API.', {
        required: { api: objectName('Name of the API.') },
        optional: { conditions: conditions('Accepted, Attached, Programmed, Enforced, WithinSafety') },
      }),
      { maxItems: 64 },
    ),
    activity: object('PolicyActivity', 'What the policy does now.', {
      optional: {
        wouldAct: integer('Decisions that would be in force in mode Enforce.', { minimum: 0 }),
        acting: integer('Decisions in force.', { minimum: 0 }),
        suppressedBySafety: integer('Decisions that safety weakened or held back.', { minimum: 0 }),
        lastChange: instant('When one of these last changed.'),
      },
    }),
    backtest: object('PolicyBacktest', 'The policy tried on stored traffic.', {
      optional: {
        window: duration('Length of the stored traffic.'),
        requests: count('Requests in it.'),
        wouldDeny: count('Requests that would have been denied.'),
        principals: count('Principals that would have been acted on.'),
        ref: text('Where the full result is.', 512),
      },
    }),
  },
});

export const behaviorPolicy: Kind = {
  kind: 'BehaviorPolicy',
  plural: 'behaviorpolicies',
  shortName: 'bpol',
  writer: 'Person',
  description: 'How anomalous is too much, and what happens then.',
  spec,
  status,
  columns: [
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode', description: 'Observe, DryRun or Enforce.' },
    { name: 'Targets', type: 'integer', jsonPath: '.status.attachedTargets', description: 'APIs it is in force for.' },
    conditionColumn('Accepted', 'Accepted', 'Whether the policy is valid.'),
    conditionColumn('Programmed', 'Programmed', 'Whether Envoys acknowledged it.'),
    {
      name: 'Would-Act',
      type: 'integer',
      jsonPath: '.status.activity.wouldAct',
      description: 'What Enforce would do.',
    },
    { name: 'Acting', type: 'integer', jsonPath: '.status.activity.acting', description: 'Decisions in force.' },
    ageColumn,
  ],
  example: `metadata:
  name: payments
  namespace: shop
spec:
  targetRefs:
  - { kind: ProtectedAPI, name: payments }
  mode: DryRun
  falseAlertBudget: { perDay: 2 }
  detectors:
    scraping: { sensitivity: High }
    objectEnumeration: { maxForeignObjects: 10 }
  responses:
  - { level: Elevated, action: Tag, for: 30m }
  - { level: High, action: Throttle, for: 10m, throttle: { requestsPerMinute: 30 } }
  - { level: High, action: Challenge, for: 10m, flows: [login] }
  - { level: Critical, action: Deny, for: 15m, maxFor: 12h }
  actOn: [User, App, Address, Campaign]
  safety: { maxShareOfPrincipals: 1%, maxShareOfRequests: 2%, minBaseline: 24h }
  failure: Open
`,
};
