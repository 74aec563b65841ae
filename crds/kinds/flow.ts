import { anyJson, enumeration, exactlyOneOf, integer, list, object, type Schema, set } from '../schema/schema.ts';
import { dnsLabel, headerName, jsonPointer, method, pathTemplate, text } from './values.ts';

const flowTypes = [
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

/** Business meaning put on operations. */
export const flow = object('Flow', 'A business meaning put on operations.', {
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
