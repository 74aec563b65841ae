import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { AccountSource, Flow as FlowSpec, OutcomeTest as OutcomeTestSpec } from '@picket/crds/gen/types.ts';
import {
  type Flow,
  FlowSchema,
  FlowType,
  type OutcomeTestSchema,
  type ValueSourceSchema,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';

const types: Record<FlowSpec['type'], FlowType> = {
  Login: FlowType.LOGIN,
  SignUp: FlowType.SIGN_UP,
  Logout: FlowType.LOGOUT,
  PasswordReset: FlowType.PASSWORD_RESET,
  Payment: FlowType.PAYMENT,
  Transfer: FlowType.TRANSFER,
  Cart: FlowType.CART,
  Checkout: FlowType.CHECKOUT,
  Coupon: FlowType.COUPON,
  Review: FlowType.REVIEW,
  Search: FlowType.SEARCH,
  Export: FlowType.EXPORT,
  RecordAccess: FlowType.RECORD_ACCESS,
  Admin: FlowType.ADMIN,
};

/** One flow of a ProtectedAPI as the analyzer reads it. */
export function compileFlow(flow: FlowSpec): Flow {
  const [account, amount, counterparty] = [flow.account, flow.fields?.amount, flow.fields?.counterparty].map(source);
  return create(FlowSchema, {
    name: flow.name,
    type: types[flow.type],
    method: flow.match.method ?? '',
    path: flow.match.path,
    ...(account ? { account } : {}),
    ...(amount ? { amount } : {}),
    ...(counterparty ? { counterparty } : {}),
    success: (flow.success?.anyOf ?? []).map((clause) => ({
      all: (clause.all ?? [clause]).map(outcomeTest).filter((test) => test !== undefined),
    })),
  });
}

function source(spec: AccountSource | undefined): MessageInitShape<typeof ValueSourceSchema> | undefined {
  if (spec?.requestField !== undefined) return { from: { case: 'requestField', value: spec.requestField } };
  if (spec?.header !== undefined) return { from: { case: 'header', value: spec.header.toLowerCase() } };
  if (spec?.query !== undefined) return { from: { case: 'query', value: spec.query } };
  return undefined;
}

function outcomeTest(test: OutcomeTestSpec): MessageInitShape<typeof OutcomeTestSchema> | undefined {
  if (test.status) return { test: { case: 'status', value: { codes: test.status } } };
  if (test.responseField) {
    const { pointer, equals } = test.responseField;
    return { test: { case: 'responseField', value: { pointer, equalsJson: JSON.stringify(equals) } } };
  }
  if (test.responseHeader !== undefined) {
    return { test: { case: 'responseHeader', value: test.responseHeader.toLowerCase() } };
  }
  return undefined;
}
