/**
 * Did an attempt (a login, a payment) succeed? Where no rule says, the answers of the flow tell: what status, where it
 * redirects, whether it sets a cookie, how long the body is, and who comes back at once to try again.
 *
 * One learner per flow; bounded; what it says depends only on the order of the attempts. It says `unknown` as long as
 * the answers seen so far do not set success and failure apart.
 */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Outcome } from '../observation.ts';
import { createGenerationMap } from './generation-map.ts';

export interface Attempt {
  status: number;
  /** Path of the request, without query. */
  path: string;
  /** `location` of the response; "" when none or not logged. */
  location: string;
  /** The response sets a cookie; undefined when the feed does not log it. */
  setsCookie: boolean | undefined;
  /** Body bytes; NaN when unknown. */
  responseBytes: number;
  /** Who tried, as a number; 0 when unknown. */
  source: number;
  /** Unix ms. */
  at: number;
}

/** One group of like answers and what they mean. */
export interface LearnedAnswer {
  status: number;
  /** Mean body size, bytes; NaN when unknown. */
  meanBytes: number;
  count: number;
  /** Share of attempts after which the same source tried again within two minutes. */
  retryShare: number;
  outcome: Outcome;
  reason: OutcomeReason;
}

export type OutcomeReason =
  | 'refusedByStatus'
  | 'serverError'
  | 'redirectsBack'
  | 'redirectsOn'
  | 'formShownAgain'
  | 'othersRedirect'
  | 'othersRefused'
  | 'setsCookie'
  | 'sizeAndRetries'
  | 'size'
  | 'unknown';

export interface OutcomeLearner {
  /** Learns from the attempt and judges it. */
  judge(attempt: Attempt): Outcome;
  /** A GET of the same path: the form, as it looks before an attempt. */
  sawForm(responseBytes: number): void;
  learned(): LearnedAnswer[];
  toJSON(): OutcomeState;
  restore(state: OutcomeState): void;
}

export interface OutcomeState {
  answers: Omit<Answer, 'verdictAt' | 'outcome' | 'reason'>[];
  formBytes: number[];
  sources: [number, { answer: number; at: number; repeats: number }][];
}

const retryWithinMs = 120_000;
const maxAnswers = 24;
/** Body sizes of one answer may differ by a token, a date or the name that was typed. */
const sizeTolerance = 0.06;
const sizeToleranceBytes = 24;

interface Answer {
  status: number;
  /** -1 location unknown or no redirect, 0 back to the form, 1 elsewhere. */
  redirect: -1 | 0 | 1;
  /** -1 not logged. */
  cookie: -1 | 0 | 1;
  count: number;
  meanBytes: number;
  /** Sum of squared deviations, for the spread. */
  m2: number;
  retried: number;
  /** Longest run of this answer to one source without another in between, two minutes apart at most. */
  longestRun: number;
  verdictAt: number;
  outcome: Outcome;
  reason: OutcomeReason;
}

export function createOutcomeLearner(type: FlowType): OutcomeLearner {
  let answers: Answer[] = [];
  let formBytes: number[] = [];
  let total = 0;
  const sources = createGenerationMap<number, { answer: number; at: number; repeats: number }>(4096);
  const retriesTell = type === FlowType.LOGIN || type === FlowType.PASSWORD_RESET || type === FlowType.SIGN_UP;

  function answerOf(attempt: Attempt): Answer {
    const redirect = redirectOf(attempt);
    const cookie = attempt.setsCookie === undefined ? -1 : attempt.setsCookie ? 1 : 0;
    let nearest: Answer | undefined;
    let distance = Number.POSITIVE_INFINITY;
    for (const answer of answers) {
      if (answer.status !== attempt.status || answer.redirect !== redirect || answer.cookie !== cookie) continue;
      const d = sizeDistance(answer.meanBytes, attempt.responseBytes);
      if (d < distance) {
        distance = d;
        nearest = answer;
      }
    }
    // Only bodies tell answers of one status apart; a redirect has none worth measuring.
    const bySize = attempt.status >= 200 && attempt.status < 300;
    if (nearest && (!bySize || distance <= 1 || answers.length >= maxAnswers)) return nearest;
    if (answers.length >= maxAnswers) return answers[0] as Answer;
    const answer: Answer = {
      status: attempt.status,
      redirect,
      cookie,
      count: 0,
      meanBytes: attempt.responseBytes,
      m2: 0,
      retried: 0,
      longestRun: 0,
      verdictAt: 0,
      outcome: Outcome.unknown,
      reason: 'unknown',
    };
    answers.push(answer);
    return answer;
  }

  function learn(answer: Answer, attempt: Attempt): void {
    total++;
    answer.count++;
    if (Number.isFinite(attempt.responseBytes)) {
      if (!Number.isFinite(answer.meanBytes)) answer.meanBytes = attempt.responseBytes;
      const delta = attempt.responseBytes - answer.meanBytes;
      answer.meanBytes += delta / answer.count;
      answer.m2 += delta * (attempt.responseBytes - answer.meanBytes);
    }
    if (attempt.source === 0) return;
    const index = answers.indexOf(answer);
    const before = sources.get(attempt.source);
    const soon = before !== undefined && attempt.at - before.at <= retryWithinMs;
    if (soon) (answers[before.answer] as Answer).retried++;
    const repeats = soon && before.answer === index ? before.repeats + 1 : 1;
    if (repeats > answer.longestRun) answer.longestRun = repeats;
    sources.set(attempt.source, { answer: index, at: attempt.at, repeats });
  }

  function conclude(answer: Answer, path: string): void {
    const [outcome, reason] = meaning(answer, path);
    answer.outcome = outcome;
    answer.reason = reason;
    answer.verdictAt = total;
  }

  function meaning(answer: Answer, path: string): [Outcome, OutcomeReason] {
    const { status } = answer;
    if (status === 0 || status >= 500) return [Outcome.unknown, 'serverError'];
    if (status === 404 || status === 405 || status === 410) return [Outcome.unknown, 'unknown'];
    if (status >= 400) return [Outcome.failure, 'refusedByStatus'];
    if (status >= 300) return redirectMeaning(answer);
    if (status < 200) return [Outcome.unknown, 'unknown'];
    const refused = countOf((a) => a.status >= 400 && a.status < 500 && a.status !== 404 && a.status !== 429);
    const moved = countOf((a) => a.status >= 300 && a.status < 400 && a.redirect !== 0);
    if (moved >= 2 && refused < 3) return [Outcome.failure, 'othersRedirect'];
    if (isForm(path)) return [Outcome.failure, 'formShownAgain'];
    const contrast = cookieContrast(answer) ?? sizeContrast(answer);
    if (contrast) return contrast;
    if (refused >= 3) return [Outcome.success, 'othersRefused'];
    if (!retriesTell) return [Outcome.success, 'unknown'];
    if (looksLikeForm(answer)) return [Outcome.failure, 'formShownAgain'];
    return [Outcome.unknown, 'unknown'];
  }

  function redirectMeaning(answer: Answer): [Outcome, OutcomeReason] {
    if (answer.redirect === 0) return [Outcome.failure, 'redirectsBack'];
    if (answer.redirect === 1) return [Outcome.success, 'redirectsOn'];
    const shown = countOf((a) => a.status >= 200 && a.status < 300);
    const refused = countOf((a) => a.status === 401 || a.status === 403 || a.status === 400 || a.status === 422);
    if (shown >= 1 || refused >= 3) return [Outcome.success, 'redirectsOn'];
    return [Outcome.unknown, 'unknown'];
  }

  function countOf(test: (answer: Answer) => boolean): number {
    let n = 0;
    for (const answer of answers) if (test(answer)) n += answer.count;
    return n;
  }

  /** Some 2xx answers set a cookie, others do not: those that do have let somebody in. */
  function cookieContrast(answer: Answer): [Outcome, OutcomeReason] | undefined {
    if (answer.cookie === -1) return undefined;
    const withCookie = countOf((a) => isOk(a) && a.cookie === 1);
    const without = countOf((a) => isOk(a) && a.cookie === 0);
    if (withCookie < 3 || without < 3) return undefined;
    return [answer.cookie === 1 ? Outcome.success : Outcome.failure, 'setsCookie'];
  }

  /**
   * 2xx answers of two sizes. People try again after a failure, hardly after a success; where both are retried alike
   * (a robot), the failure is the answer whose length never changes, or the one with no room for a token.
   */
  function sizeContrast(answer: Answer): [Outcome, OutcomeReason] | undefined {
    const groups = answers.filter(
      (a) => isOk(a) && Number.isFinite(a.meanBytes) && a.count >= Math.max(3, total / 200),
    );
    if (groups.length < 2 || !groups.includes(answer)) return undefined;
    groups.sort((a, b) => b.count - a.count);
    if (retriesTell) {
      let most: Answer | undefined;
      for (const a of groups) if (!most || retryShare(a) > retryShare(most)) most = a;
      const rest = groups.filter((a) => a !== most);
      const others = rest.reduce((sum, a) => sum + a.count, 0);
      const retried = rest.reduce((sum, a) => sum + a.retried, 0);
      if (most && isHigherShare(most.retried, most.count, retried, others)) {
        const near = (a: Answer): boolean => a === most || retryShare(a) > (retryShare(most) + retried / others) / 2;
        return [near(answer) ? Outcome.failure : Outcome.success, 'sizeAndRetries'];
      }
    }
    const tight = groups.filter((a) => a.count >= 5 && spread(a) < 0.5);
    const loose = groups.filter((a) => a.count >= 5 && spread(a) >= 2);
    if (tight.length === 1 && loose.length >= 1) {
      return [
        answer === tight[0] ? Outcome.failure : loose.includes(answer) ? Outcome.success : Outcome.unknown,
        'size',
      ];
    }
    const smallest = groups.reduce((a, b) => (a.meanBytes < b.meanBytes ? a : b));
    const largest = groups.reduce((a, b) => (a.meanBytes > b.meanBytes ? a : b));
    if (smallest.count >= 5 && largest.meanBytes >= 120 && largest.meanBytes >= smallest.meanBytes * 1.5) {
      if (largest.meanBytes <= 8192 && groups.length === 2) {
        return [answer === smallest ? Outcome.failure : Outcome.success, 'size'];
      }
    }
    return undefined;
  }

  /** One 2xx answer only: the form again when it is as long as the form, or when somebody got it over and over. */
  function looksLikeForm(answer: Answer): boolean {
    if (!Number.isFinite(answer.meanBytes)) return false;
    const near = formBytes.some((bytes) => bytes >= 400 && Math.abs(bytes - answer.meanBytes) <= bytes * 0.15);
    return near || (answer.longestRun >= 6 && answer.meanBytes >= 1500 && spread(answer) < sizeToleranceBytes);
  }

  return {
    judge(attempt) {
      const answer = answerOf(attempt);
      learn(answer, attempt);
      // Conclusions change slowly: always while young, then each time an eighth more is known.
      if (total < 64 || answer.verdictAt === 0 || total - answer.verdictAt > answer.verdictAt >> 3) {
        conclude(answer, attempt.path);
      }
      return answer.outcome;
    },
    sawForm(responseBytes) {
      if (!Number.isFinite(responseBytes) || responseBytes <= 0) return;
      if (formBytes.some((bytes) => Math.abs(bytes - responseBytes) <= bytes * 0.05)) return;
      formBytes.push(responseBytes);
      if (formBytes.length > 8) formBytes.shift();
    },
    learned: () =>
      answers.map((a) => ({
        status: a.status,
        meanBytes: a.meanBytes,
        count: a.count,
        retryShare: retryShare(a),
        outcome: a.outcome,
        reason: a.reason,
      })),
    toJSON: () => ({
      answers: answers.map(({ status, redirect, cookie, count, meanBytes, m2, retried, longestRun }) => {
        return { status, redirect, cookie, count, meanBytes, m2, retried, longestRun };
      }),
      formBytes: [...formBytes],
      sources: [...sources.entries()],
    }),
    restore(state) {
      answers = state.answers.map((a) => ({
        ...a,
        // JSON has no NaN.
        meanBytes: a.meanBytes ?? Number.NaN,
        verdictAt: 0,
        outcome: Outcome.unknown,
        reason: 'unknown',
      }));
      formBytes = [...state.formBytes];
      total = answers.reduce((sum, a) => sum + a.count, 0);
      sources.clear();
      for (const [key, value] of state.sources) sources.set(key, value);
    },
  };
}

function isOk(answer: Answer): boolean {
  return answer.status >= 200 && answer.status < 300;
}

function retryShare(answer: Answer): number {
  return answer.count === 0 ? 0 : answer.retried / answer.count;
}

/** Standard deviation of the body size, bytes. */
function spread(answer: Answer): number {
  return answer.count < 2 ? 0 : Math.sqrt(answer.m2 / (answer.count - 1));
}

/** Two-proportion z test, one-sided at 0.5 %, and a difference that matters. */
function isHigherShare(hits: number, count: number, otherHits: number, otherCount: number): boolean {
  if (count < 5 || otherCount < 5) return false;
  const share = hits / count;
  const other = otherHits / otherCount;
  if (share - other < 0.2) return false;
  const pooled = (hits + otherHits) / (count + otherCount);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / count + 1 / otherCount));
  return error > 0 && (share - other) / error > 2.576;
}

/** Distance in tolerances: at most 1 is the same answer. */
function sizeDistance(mean: number, bytes: number): number {
  if (!Number.isFinite(mean) || !Number.isFinite(bytes)) return 0;
  return Math.abs(mean - bytes) / Math.max(sizeToleranceBytes, mean * sizeTolerance);
}

function redirectOf(attempt: Attempt): -1 | 0 | 1 {
  if (attempt.status < 300 || attempt.status >= 400 || attempt.location === '') return -1;
  const target = attempt.location.replace(/^https?:\/\/[^/?#]*/i, '');
  const question = target.search(/[?#]/);
  const path = (question < 0 ? target : target.slice(0, question)) || '/';
  if (trimSlash(path) === trimSlash(attempt.path)) return 0;
  if (/[?&](error|failed?|failure|invalid|denied|login_error|auth_error|loginfailed)\b/i.test(target)) return 0;
  return /\/(log-?in|sign-?in|sign_in|auth|session\/new|sessions\/new)(\.\w+)?\/?$/i.test(path) ? 0 : 1;
}

function trimSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** WordPress shows the form again with 200 and redirects on success, always. */
function isForm(path: string): boolean {
  return path.endsWith('/wp-login.php');
}
