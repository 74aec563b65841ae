import { ageColumn, type Kind } from '../schema/kind.ts';
import { enumeration, exactlyOneOf, integer, keyedList, list, object, set, string } from '../schema/schema.ts';
import { flow } from './flow.ts';
import { principal } from './principal-rule.ts';
import { status } from './protected-api-status.ts';
import { hostName, keyReference, method, objectName, pathTemplate, relativeFile } from './values.ts';

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
