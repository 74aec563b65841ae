import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, test } from 'vitest';
import { Outcome } from '../observation.ts';
import { type Attempt, createOutcomeLearner, type OutcomeLearner } from './outcome.ts';

let clock = 0;

function attempt(over: Partial<Attempt>): Attempt {
  clock += 30_000;
  return {
    status: 200,
    path: '/login',
    location: '',
    setsCookie: undefined,
    responseBytes: 900,
    source: 1 + Math.floor(clock / 30_000),
    at: clock,
    ...over,
  };
}

function feed(learner: OutcomeLearner, times: number, over: (i: number) => Partial<Attempt>): Outcome[] {
  return Array.from({ length: times }, (_, i) => learner.judge(attempt(over(i))));
}

const login = (): OutcomeLearner => createOutcomeLearner(FlowType.LOGIN);
const last = (outcomes: Outcome[]): Outcome => outcomes[outcomes.length - 1] as Outcome;

describe('learned outcomes', () => {
  test('WordPress: 200 shows the form again, 302 lets in, from the first request on', () => {
    const learner = login();
    expect(learner.judge(attempt({ path: '/wp-login.php', responseBytes: 5364 }))).toBe(Outcome.failure);
    expect(learner.judge(attempt({ path: '/wp-login.php', status: 302, responseBytes: 0 }))).toBe(Outcome.success);
  });

  test('401, 403 and 422 are failures, 500 and 404 say nothing', () => {
    const learner = login();
    expect([401, 403, 422, 500, 404].map((status) => learner.judge(attempt({ status })))).toEqual([2, 2, 2, 0, 0]);
  });

  test('200 is a success once refusals are told by status', () => {
    const learner = login();
    expect(learner.judge(attempt({}))).toBe(Outcome.unknown);
    feed(learner, 3, () => ({ status: 401, responseBytes: 40 }));
    expect(learner.judge(attempt({}))).toBe(Outcome.success);
  });

  test('a redirect back to the login is a failure, elsewhere a success', () => {
    const learner = login();
    expect(learner.judge(attempt({ status: 302, location: '/login' }))).toBe(Outcome.failure);
    expect(learner.judge(attempt({ status: 302, location: 'https://a.example/login?error=1' }))).toBe(Outcome.failure);
    expect(learner.judge(attempt({ status: 303, location: '/account' }))).toBe(Outcome.success);
    expect(
      learner.judge(attempt({ status: 302, path: '/users/auth/ldap/callback', location: 'https://g/users/sign_in' })),
    ).toBe(Outcome.failure);
  });

  test('redirects only, without a location, cannot be told apart', () => {
    expect(last(feed(login(), 50, () => ({ status: 302, responseBytes: 0 })))).toBe(Outcome.unknown);
  });

  test('200 beside redirects: the form came again', () => {
    const learner = login();
    feed(learner, 4, () => ({ status: 302, responseBytes: 0 }));
    expect(learner.judge(attempt({ responseBytes: 4100 }))).toBe(Outcome.failure);
    expect(learner.judge(attempt({ status: 302, responseBytes: 0 }))).toBe(Outcome.success);
  });

  test('a cookie only on some answers is that of a success', () => {
    const learner = login();
    feed(learner, 6, (i) => ({ setsCookie: i % 2 === 0, responseBytes: 300 }));
    expect(learner.judge(attempt({ setsCookie: true, responseBytes: 300 }))).toBe(Outcome.success);
    expect(learner.judge(attempt({ setsCookie: false, responseBytes: 300 }))).toBe(Outcome.failure);
  });

  test('always 200: the answer of one length that people retry after is the failure', () => {
    const learner = login();
    // Every fifth person mistypes once and tries again after ten seconds.
    for (let person = 0; person < 200; person++) {
      const source = 10_000 + person;
      if (person % 5 === 0) learner.judge(attempt({ source, responseBytes: 31 }));
      learner.judge(attempt({ source, responseBytes: 800 + (person % 60) }));
    }
    expect(learner.judge(attempt({ responseBytes: 31 }))).toBe(Outcome.failure);
    expect(learner.judge(attempt({ responseBytes: 820 }))).toBe(Outcome.success);
  });

  test('always 200 and a failure that is longer than the success', () => {
    const learner = login();
    for (let person = 0; person < 200; person++) {
      const source = 20_000 + person;
      if (person % 5 === 0) learner.judge(attempt({ source, responseBytes: 2400 }));
      learner.judge(attempt({ source, responseBytes: 300 + (person % 9) }));
    }
    expect(learner.judge(attempt({ responseBytes: 2400 }))).toBe(Outcome.failure);
    expect(learner.judge(attempt({ responseBytes: 304 }))).toBe(Outcome.success);
  });

  test('always 200 under an attack from one attempt each: the constant answer is the failure', () => {
    const learner = login();
    feed(learner, 300, (i) => ({ responseBytes: i % 10 === 0 ? 700 + ((i * 7) % 90) : 52 }));
    expect(learner.judge(attempt({ responseBytes: 52 }))).toBe(Outcome.failure);
    expect(learner.judge(attempt({ responseBytes: 740 }))).toBe(Outcome.success);
  });

  test('one answer of one small size stays unknown, however often', () => {
    expect(last(feed(login(), 500, () => ({ responseBytes: 64 })))).toBe(Outcome.unknown);
  });

  test('an answer as long as the form is the form', () => {
    const learner = login();
    learner.sawForm(4020);
    expect(learner.judge(attempt({ responseBytes: 4100 }))).toBe(Outcome.failure);
  });

  test('a robot that gets one page over and over has not been let in', () => {
    expect(last(feed(login(), 12, () => ({ responseBytes: 5364, source: 5 })))).toBe(Outcome.failure);
  });

  test('what was learned survives a checkpoint', () => {
    const learner = login();
    feed(learner, 4, () => ({ status: 302, responseBytes: Number.NaN }));
    const restored = login();
    restored.restore(JSON.parse(JSON.stringify(learner.toJSON())));
    expect(restored.judge(attempt({ responseBytes: 4100 }))).toBe(Outcome.failure);
    expect(restored.learned().map((a) => a.count)).toEqual([4, 1]);
  });

  test('is bounded: random statuses and sizes make no more than 24 answers', () => {
    const learner = login();
    feed(learner, 3000, (i) => ({ status: 200 + (i % 90), responseBytes: (i * 7919) % 100_000 }));
    expect(learner.learned().length).toBeLessThanOrEqual(24);
  });
});
