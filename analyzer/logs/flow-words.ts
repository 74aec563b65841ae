/** What paths say about the meaning of an operation. */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';

/** Segments that mean a login when posted to. */
const loginWords = new Set(
  (
    'login signin sign-in sign_in log-in log_in logon dologin do-login wp-login xmlrpc authenticate authentication ' +
    'login_check logincheck checklogin j_spring_security_check j_security_check userlogin adminlogin admin-login ' +
    'login_post loginpost postlogin sso signon sign-on connexion anmelden inloggen'
  ).split(' '),
);
/** Segments that mean a login at the end of a path only: elsewhere they name whole areas. */
const loginEnds = new Set('auth session sessions token tokens'.split(' '));
const tokenParents =
  /^(?:oauth2?|auth|connect|openid-connect|api|v\d{1,2}|identity|account|accounts|user|users|protocol)$/;
/** Administration tools whose form posts to the index page. */
const adminForms = /^\/(?:[\w-]{1,40}\/)?(?:administrator|phpmyadmin|pma|admin|adminer)\/(?:index\.php)?$/;

const others: readonly { type: FlowType; method: 'POST' | 'GET' | ''; words: ReadonlySet<string> }[] = [
  { type: FlowType.LOGOUT, method: '', words: wordSet('logout signout sign-out sign_out log-out logoff') },
  {
    type: FlowType.PASSWORD_RESET,
    method: 'POST',
    words: wordSet(
      'reset-password password-reset password_reset resetpassword forgot forgot-password forgotpassword forgot_password lostpassword lost-password recover',
    ),
  },
  {
    type: FlowType.SIGN_UP,
    method: 'POST',
    words: wordSet('register signup sign-up sign_up registration wp-signup createaccount create-account'),
  },
  { type: FlowType.CHECKOUT, method: 'POST', words: wordSet('checkout place-order placeorder') },
  { type: FlowType.PAYMENT, method: 'POST', words: wordSet('payment payments pay charge charges') },
  { type: FlowType.TRANSFER, method: 'POST', words: wordSet('transfer transfers') },
  {
    type: FlowType.COUPON,
    method: 'POST',
    words: wordSet('coupon coupons voucher vouchers promo promocode giftcard gift-card'),
  },
  { type: FlowType.CART, method: 'POST', words: wordSet('cart basket add-to-cart') },
  { type: FlowType.REVIEW, method: 'POST', words: wordSet('review reviews comment comments wp-comments-post') },
  { type: FlowType.EXPORT, method: '', words: wordSet('export exports') },
  { type: FlowType.SEARCH, method: 'GET', words: wordSet('search') },
];

function wordSet(words: string): ReadonlySet<string> {
  return new Set(words.split(' '));
}

/** Flow type of an operation by its method and path (without query); undefined when the path says nothing. */
export function flowTypeOf(method: string, path: string, query: string): FlowType | undefined {
  const lower = path.toLowerCase();
  const segments = lower.split('/').filter(Boolean).slice(0, 16).map(withoutExtension);
  const last = segments.at(-1) ?? '';
  // Order matters: `/password/login-help` is none, `/auth/logout` is no login.
  for (const { type, method: wanted, words } of others) {
    if (wanted !== '' && wanted !== method) continue;
    if (words.has(last) || (type === FlowType.LOGOUT && segments.some((s) => words.has(s)))) return type;
    if (type === FlowType.PASSWORD_RESET && segments.includes('password') && /^(?:reset|forgot|email)$/.test(last))
      return type;
  }
  const credentials =
    method === 'POST' || method === 'PUT' || (method === 'GET' && /(?:^|&)pass(?:word|wd)?=/i.test(query));
  if (!credentials) return undefined;
  // `login` may be followed by an action: /login/submit, /account/login/do.
  if (segments.slice(-2).some((s) => loginWords.has(s)) || adminForms.test(lower)) return FlowType.LOGIN;
  if (
    loginEnds.has(last) &&
    (last === 'auth' || last.startsWith('session') || segments.some((s) => tokenParents.test(s)))
  ) {
    return FlowType.LOGIN;
  }
  return undefined;
}

function withoutExtension(segment: string): string {
  const dot = segment.lastIndexOf('.');
  return dot > 0 && /^\.(?:php\d?|aspx?|jsp|jsf|do|action|html?|cgi|json|xml)$/.test(segment.slice(dot))
    ? segment.slice(0, dot)
    : segment;
}

/** Short name for a flow of this type. */
export const flowNames: Readonly<Record<FlowType, string>> = {
  [FlowType.UNSPECIFIED]: 'flow',
  [FlowType.LOGIN]: 'login',
  [FlowType.SIGN_UP]: 'sign-up',
  [FlowType.LOGOUT]: 'logout',
  [FlowType.PASSWORD_RESET]: 'password-reset',
  [FlowType.PAYMENT]: 'payment',
  [FlowType.TRANSFER]: 'transfer',
  [FlowType.CART]: 'cart',
  [FlowType.CHECKOUT]: 'checkout',
  [FlowType.COUPON]: 'coupon',
  [FlowType.REVIEW]: 'review',
  [FlowType.SEARCH]: 'search',
  [FlowType.EXPORT]: 'export',
  [FlowType.RECORD_ACCESS]: 'record-access',
  [FlowType.ADMIN]: 'admin',
};

const variable =
  /^(?:\d{1,20}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[0-9a-f]*\d)[0-9a-f]{16,64})$/i;

/** Path with numbers, UUIDs and long hex as variables `{id}`, `{id2}`, …, and the value of the last one. */
export function templateOf(path: string): { template: string; id: string } {
  if (!/\d/.test(path)) return { template: path, id: '' };
  let id = '';
  let count = 0;
  const parts = path.split('/').map((segment) => {
    if (!variable.test(segment)) return segment;
    id = segment;
    count++;
    return count === 1 ? '{id}' : `{id${count}}`;
  });
  return { template: parts.join('/'), id };
}
