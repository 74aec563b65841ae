/** Which answers of a login mean success, from what a sample of it shows; and sign-in without a form (401). */

/** What was seen of one operation. */
export interface OperationSample {
  method: string;
  template: string;
  count: number;
  statuses: Map<number, number>;
  /** Of the redirected attempts: how often the client's next request was the same path again, or something else. */
  redirectedBack: number;
  redirectedOn: number;
  /** 401 answers (403 to a POST), those after which the client got through at once, and the most of one client in a row. */
  refused: number;
  challenged: number;
  refusedBurst: number;
  /** Requests of another meaning under the same method and path, told apart by their query. */
  others: number;
  /** Attempts that carry a user name in the query, by parameter. */
  accountParameters: Map<string, number>;
  /** Field of the body that holds a user name, where the log has bodies. */
  accountField: string;
}

export function createOperationSample(method: string, template: string): OperationSample {
  return {
    method,
    template,
    count: 0,
    statuses: new Map(),
    redirectedBack: 0,
    redirectedOn: 0,
    refused: 0,
    challenged: 0,
    refusedBurst: 0,
    others: 0,
    accountParameters: new Map(),
    accountField: '',
  };
}

export interface InferredOutcome {
  /** Status codes that mean success; empty = to be learned. */
  success: number[];
  /** For people. */
  because: string;
}

const redirects = [302, 303];
const answered = [200, 201, 202, 204, 302, 303, 307];
/** Anything that a sign-in by header lets through. */
const passed = [200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 404];

/** Products whose login answers are known from their source. */
const products: readonly { path: RegExp; success: number[]; name: string }[] = [
  {
    path: /\/wp-login\.php$/i,
    success: redirects,
    name: 'WordPress answers 200 to a wrong password and redirects after a right one',
  },
  { path: /\/token$/i, success: [200, 201], name: 'a token endpoint answers 200 to right credentials only (RFC 6749)' },
  { path: /\/users\/sign_in$/i, success: redirects, name: 'Devise (Rails) redirects after a right password only' },
];

/** True when anything but "no such page" was ever answered: a path that only scanners know is no login. */
export function isServed(op: OperationSample): boolean {
  for (const status of op.statuses.keys()) {
    if ((status >= 200 && status < 300) || redirects.includes(status) || isRefusal(status) || status === 307)
      return true;
  }
  return false;
}

function isRefusal(status: number): boolean {
  return status === 400 || status === 401 || status === 403 || status === 422 || status === 0;
}

export function inferOutcome(op: OperationSample, hasForm: boolean): InferredOutcome {
  const product = products.find(({ path }) => path.test(op.template));
  if (product) return { success: product.success, because: product.name };
  const ok = sum(op, (s) => s >= 200 && s < 300);
  const redirected = sum(op, (s) => redirects.includes(s));
  const refusals = sum(op, isRefusal);
  if (op.redirectedBack > 2 && op.redirectedBack > 2 * op.redirectedOn) {
    return {
      success: [],
      because: 'it mostly redirects back to itself, so redirects do not mean success; learned from traffic',
    };
  }
  if (ok > 0 && redirected > 0 && (hasForm || refusals === 0)) {
    return { success: redirects, because: `${ok} attempts got the form again (200) and ${redirected} were redirected` };
  }
  if (refusals > 0) {
    return {
      success: answered,
      because: `${refusals} attempts were refused by status and ${ok + redirected} were not`,
    };
  }
  return { success: [], because: 'all attempts got the same answer; learned from sizes, cookies and what follows' };
}

/** Refusals of one client in a row that are no accident. */
export const minBurst = 5;

/** Guessing at a protected path: many refusals in a row by one client, and not the handshake of NTLM or Digest. */
export function isSignInByHeader(op: OperationSample): boolean {
  return op.refusedBurst >= minBurst && op.challenged * 3 < op.refused && op.others <= op.refused;
}

/** Refused without being authenticated, or without a right to what a form sends. */
export function isRefusedAttempt(method: string, status: number): boolean {
  return status === 401 || (status === 403 && method === 'POST');
}

export const headerSignInSuccess: readonly number[] = passed;

function sum(op: OperationSample, of: (status: number) => boolean): number {
  let total = 0;
  for (const [status, count] of op.statuses) if (of(status)) total += count;
  return total;
}
