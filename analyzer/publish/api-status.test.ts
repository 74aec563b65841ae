import { create } from '@bufbuild/protobuf';
import { CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, it } from 'vitest';
import { Outcome } from '../observation.ts';
import { apiStatus, type StatusView } from './api-status.ts';

const view: StatusView = {
  api: 'shop/shop',
  policy: create(CompiledPolicySchema, { api: 'shop/shop' }),
  traffic: undefined,
  operations: [],
  learning: [],
  observations: 10,
  since: 1,
  activity: { acting: 0, wouldAct: 0, suppressed: 0, eased: 0 },
  completeness: undefined,
};
const answer = { count: 100, retryShare: 0, reason: 'size' as const };

describe('status of an API', () => {
  it('says what counts as success where nobody declared it', () => {
    const { learning } = apiStatus(
      {
        ...view,
        learning: [
          { flow: 'pay', declared: true, answers: [] },
          {
            flow: 'login',
            declared: false,
            answers: [
              { ...answer, status: 200, meanBytes: 512.4, outcome: Outcome.success },
              { ...answer, status: 200, meanBytes: 48, outcome: Outcome.failure },
              { ...answer, status: 302, meanBytes: Number.NaN, outcome: Outcome.success },
            ],
          },
          { flow: 'reset', declared: false, answers: [] },
        ],
      },
      [],
      2,
    );
    expect(learning?.outcomes).toEqual([
      { flow: 'login', rule: 'status 200 with about 510 bytes or status 302' },
      { flow: 'reset', rule: 'not known yet: declare spec.flows[].success to be sure' },
    ]);
    expect(apiStatus(view, [], 2).learning?.outcomes).toBeUndefined();
  });
});
