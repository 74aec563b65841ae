import {
  anyJson,
  boolean,
  enumeration,
  exactlyOneOf,
  integer,
  keyedList,
  list,
  number,
  object,
  type Schema,
  set,
  string,
} from '../schema/schema.ts';
import { ageColumn, type Kind } from '../schema/kind.ts';
import { conditions, enforcement, observedGeneration } from './conditions.ts';
import {
  count,
  dnsLabel,
  duration,
  headerName,
  hostName,
  instant,
  jsonPointer,
  keyReference,
  level,
  method,
  objectName,
  pathTemplate,
  principalKinds,
  ratio,
  relativeFile,
  score,
  text,
  texts,
} from './values.ts';

export const flowTypes = [
  'Login',
  'SignUp',
  'Logout',
  'PasswordReset',
  'Payment',
  'Transfer',
  'Cart',
  'Checkout',
  'Coupon',
  'Review',
  'Search',
  'Export',
  'RecordAccess',
  'Admin',
] as const;

const targetRef = object(
  'ApiTargetRef',
  'A route, gateway or service that carries the API, in the same namespace.',
  {
    required: {
      kind: enumeration('ApiTargetKind', 'Kind of the target.', ['HTTPRoute', 'GRPCRoute', 'Gateway', 'Service']),
      name: objectName('Name of the target.'),
    },
    optional: {
      group: string('API group of the target; "" for a Service.', {
        default: 'gateway.networking.k8s.io',
        pattern: String.raw`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`,
        maxLength: 253,
      }),
      sectionName: objectName('Listener of a Gateway or rule of a route; left out, the whole target.'),
    },
  },
  {
    rules: [
      {
        rule: "self.kind == 'Service' ? self.group == '' : self.group == 'gateway.networking.k8s.io'",
        message: 'a Service has group "", every other target gateway.networking.k8s.io',
        fieldPath: '.group',
      },
    ],
  },
);

const host = hostName('A host of the API.');

const pathPrefix = string('Path that all requests of the API start with. Left out, any path of the hosts.', {
  maxLength: 512,
  rules: [
    {
      rule: "self == '' || self == '/' || (self.startsWith('/') && !self.endsWith('/'))",
      message: 'must start with / and not end with /, for example /v1',
    },
    {
      rule: "!self.contains('?') && !self.contains('#') && !self.contains('{') && !self.contains('*') && !self.contains('//')",
      message: 'must be a plain path: no query, fragment, variable, wildcard or empty segment',
    },
  ],
});

const contract = object(
  'Contract',
  'The OpenAPI 3 document that declares the operations. Without one Picket learns them from traffic.',
  {
    optional: {
      configMapKeyRef: keyReference('ContractConfigMapKeyRef', 'ConfigMap'),
      inline: string('The document itself, YAML or JSON.', { minLength: 1, maxLength: 262_144 }),
      file: relativeFile('A file that holds the document.'),
    },
  },
  { rules: [exactlyOneOf('configMapKeyRef', 'inline', 'file')] },
);

const principalSource = object(
  'PrincipalSource',
  'Where a request carries the value.',
  {
    optional: {
      header: object('HeaderSource', 'A request header; a secret, hashed at the border.', {
        required: { name: headerName('Name of the header.') },
      }),
      cookie: object('CookieSource', 'A cookie; a secret, hashed at the border.', {
        required: {
          name: headerName('Name of the cookie.'),
        },
      }),
      jwtClaim: object(
        'JwtClaimSource',
        'A claim of a bearer token. It counts as unverified unless Envoy vouches for the token: such an identity is watched, never blamed or matched on its own.',
        {
          required: { claim: text('Path of the claim in the payload, dots between levels, for example sub.', 128) },
          optional: { header: { ...headerName('Header that carries the token.'), default: 'authorization' } },
        },
      ),
      clientCertificate: object(
        'ClientCertificateSource',
        'The client certificate that Envoy verified: its subject alternative name, else its subject.',
        {},
      ),
      dynamicMetadata: object(
        'DynamicMetadataSource',
        'Metadata that an Envoy filter set, for example the payload of a token that jwt_authn verified.',
        {
          required: {
            namespace: text('Metadata namespace, for example envoy.filters.http.jwt_authn.', 128),
            path: text('Path in the metadata, slashes between levels, for example payload/sub.', 256),
          },
        },
      ),
    },
  },
  { rules: [exactlyOneOf('header', 'cookie', 'jwtClaim', 'clientCertificate', 'dynamicMetadata')] },
);

const principal = object(
  'PrincipalRule',
  'How one kind of principal is read from a request.',
  {
    required: {
      kind: enumeration(
        'RequestPrincipalKind',
        'Kind of the principal. Address and network need no rule, campaigns are found.',
        principalKinds.filter((kind) => !['Address', 'Network', 'Campaign'].includes(kind)),
      ),
      from: principalSource,
    },
    optional: {
      enforceAs: object(
        'EnforceAs',
        'What of the value Envoy may match. Left out, the principal is watched and Picket acts through its address, device or campaign (NoSafeMatchKey).',
        {
          optional: {
            value: boolean('The whole value: it is verified and no secret.', {
              rules: [{ rule: 'self', message: 'must be true; leave enforceAs out to forbid matching' }],
            }),
            prefix: integer('This many leading characters, which are no secret.', { minimum: 4, maximum: 64 }),
          },
        },
        { rules: [exactlyOneOf('value', 'prefix')] },
      ),
    },
  },
  {
    rules: [
      {
        rule: '!has(self.enforceAs) || !has(self.from.cookie)',
        message: 'a cookie is a secret: it is watched, never a match key; remove enforceAs',
        fieldPath: '.enforceAs',
        reason: 'FieldValueForbidden',
      },
    ],
  },
);

function valueSource(typeName: string, description: string): Schema {
  return object(
    typeName,
    description,
    {
      optional: {
        requestField: jsonPointer('Field of a JSON request body; Envoy reads it on the routes of this flow only.'),
        header: headerName('Request header.'),
        query: text('Query parameter.', 128),
      },
    },
    { rules: [exactlyOneOf('requestField', 'header', 'query')] },
  );
}

const outcomeTests: Record<string, Schema> = {
  status: set(
    'The response has one of these status codes.',
    integer('A status code.', { minimum: 100, maximum: 599 }),
    { minItems: 1, maxItems: 32 },
  ),
  responseField: object('ResponseFieldTest', 'A field of a JSON response body has a value.', {
    required: {
      pointer: jsonPointer('The field.'),
      equals: anyJson('The JSON value that the field must equal, for example true or "ok".'),
    },
  }),
  responseHeader: headerName('The response has this header, for example set-cookie.'),
};

const outcomeTest = object(
  'OutcomeTest',
  'One thing to look at in the response.',
  { optional: outcomeTests },
  { rules: [exactlyOneOf('status', 'responseField', 'responseHeader')] },
);

const outcomeClause = object(
  'OutcomeClause',
  'One test, or several that must all hold.',
  {
    optional: {
      ...outcomeTests,
      all: list('Tests that must all hold.', outcomeTest, { minItems: 1, maxItems: 8 }),
    },
  },
  { rules: [exactlyOneOf('status', 'responseField', 'responseHeader', 'all')] },
);

const flow = object('Flow', 'A business meaning put on operations.', {
  required: {
    name: dnsLabel('Name of the flow; responses of a policy refer to it.'),
    type: enumeration('FlowType', 'What the flow means.', flowTypes),
    match: object('FlowMatch', 'Requests that belong to the flow.', {
      required: { path: pathTemplate('Path below the hosts, prefix included.') },
      optional: { method: method() },
    }),
  },
  optional: {
    account: valueSource(
      'AccountSource',
      'The account that the request is about, for example the user name of a login.',
    ),
    success: object(
      'FlowSuccess',
      'When a request of the flow succeeded. Failed logins often answer 200, so say it where you can; left out, Picket learns it and says so in status.learning.',
      {
        required: {
          anyOf: list('Clauses of which one must hold.', outcomeClause, { minItems: 1, maxItems: 8 }),
        },
      },
    ),
    fields: object('FlowFields', 'Facts of the flow.', {
      optional: {
        amount: valueSource('AmountSource', 'The amount of a payment or transfer.'),
        counterparty: valueSource('CounterpartySource', 'Who receives it.'),
      },
    }),
  },
});

const objectRule = object(
  'ObjectRule',
  'A path variable that names an object which someone owns.',
  {
    required: {
      match: object('ObjectMatch', 'Requests that name the object.', {
        required: { path: pathTemplate('Path with the variable, prefix included.') },
        optional: { method: method() },
      }),
      variable: string('Name of the path variable that holds the id of the object.', {
        pattern: '^[A-Za-z_][A-Za-z0-9_-]*$',
        maxLength: 64,
      }),
      kind: string('What the object is, for example Account.', {
        pattern: '^[A-Za-z][A-Za-z0-9]*$',
        maxLength: 64,
      }),
    },
  },
  {
    rules: [
      {
        rule: "self.match.path.contains('{' + self.variable + '}')",
        message: 'the path must contain the variable in braces, for example /orders/{id} with variable id',
        fieldPath: '.variable',
      },
    ],
  },
);

const spec = object(
  'ProtectedAPISpec',
  'Where the API is, who its principals are, what its operations mean.',
  {
    optional: {
      targetRefs: list('Gateway API objects or Services that carry the API.', targetRef, { minItems: 1, maxItems: 16 }),
      hosts: set('Hosts of the API, for an Envoy outside Gateway API or to narrow the targets.', host, {
        minItems: 1,
        maxItems: 64,
      }),
      pathPrefix,
      criticality: enumeration(
        'Criticality',
        'How much a success of an attacker would hurt; raises the score.',
        ['Low', 'Normal', 'High', 'Crown'],
        'Normal',
      ),
      contract,
      identity: object('Identity', 'Who a request acted for.', {
        optional: {
          clientAddress: object('ClientAddress', 'How the address of the client is found.', {
            optional: {
              trustedHops: integer(
                'Proxies in front of Envoy that append to x-forwarded-for. Picket uses the address that Envoy resolved and never parses the header itself.',
                { minimum: 0, maximum: 16, default: 0 },
              ),
            },
          }),
          principals: list(
            'Rules in order. Each kind resolves to at most one value: the first rule that yields one.',
            principal,
            { maxItems: 16 },
          ),
        },
      }),
      flows: keyedList('Business meaning of operations.', ['name'], flow, { maxItems: 64 }),
      objects: list('Which path variables name an object that someone owns.', objectRule, { maxItems: 64 }),
      data: object('DataSpec', 'What the API carries.', {
        optional: {
          classes: set(
            'Classes of data that the API carries; they raise posture risk and select compliance reports.',
            enumeration('DataClass', 'A class of data.', ['PCI', 'PII', 'PHI', 'Credentials', 'Financial', 'Location']),
            { maxItems: 8 },
          ),
        },
      }),
    },
  },
  {
    rules: [
      {
        rule: 'has(self.targetRefs) || has(self.hosts)',
        message: 'name the API by targetRefs (Gateway API objects, Services) or by hosts (a plain Envoy)',
      },
    ],
  },
);

const status = object('ProtectedAPIStatus', 'What Picket sees of the API.', {
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

export const protectedApi: Kind = {
  kind: 'ProtectedAPI',
  plural: 'protectedapis',
  shortName: 'papi',
  writer: 'Person',
  description: 'One API: where it is, who its principals are, what its operations mean.',
  spec,
  status,
  columns: [
    { name: 'Risk', type: 'integer', jsonPath: '.status.risk.score', description: 'Highest score, 0 to 100.' },
    { name: 'Level', type: 'string', jsonPath: '.status.risk.level', description: 'Level of the score.' },
    { name: 'Enforcing', type: 'integer', jsonPath: '.status.enforcement.active', description: 'Decisions in force.' },
    { name: 'Ops', type: 'integer', jsonPath: '.status.operations.known', description: 'Known operations.' },
    { name: 'RPS', type: 'number', jsonPath: '.status.traffic.requestsPerSecond', description: 'Requests per second.' },
    { name: 'Err%', type: 'string', jsonPath: '.status.columns.errors', description: 'Share of errors in percent.' },
    { name: 'P99', type: 'string', jsonPath: '.status.columns.p99', description: '99th percentile of duration.' },
    {
      name: 'Complete',
      type: 'string',
      jsonPath: '.status.columns.complete',
      description: 'Seen by expected requests.',
    },
    ageColumn,
  ],
  example: `metadata:
  name: payments
  namespace: shop
spec:
  hosts: [pay.example.com]
  pathPrefix: /v1
  criticality: High
  contract:
    configMapKeyRef: { name: payments-openapi, key: openapi.yaml }
  identity:
    clientAddress: { trustedHops: 1 }
    principals:
    - kind: User
      from: { dynamicMetadata: { namespace: envoy.filters.http.jwt_authn, path: payload/sub } }
      enforceAs: { value: true }
    - kind: App
      from: { header: { name: x-api-key } }
      enforceAs: { prefix: 8 }
    - kind: Session
      from: { cookie: { name: sid } }
  flows:
  - name: login
    type: Login
    match: { method: POST, path: /v1/login }
    account: { requestField: /username }
    success:
      anyOf:
      - status: [204]
      - all:
        - status: [200]
        - responseField: { pointer: /ok, equals: true }
  - name: transfer
    type: Transfer
    match: { method: POST, path: /v1/transfers }
    fields:
      amount: { requestField: /amount }
      counterparty: { requestField: /to }
  objects:
  - match: { path: "/v1/accounts/{accountId}/**" }
    variable: accountId
    kind: Account
  data: { classes: [PCI, PII] }
`,
};
