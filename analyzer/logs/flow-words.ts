/** What paths say about the meaning of an operation. */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';

/** Words that mean a login when posted to, alone or as a part of a name: `doLogin`, `session_login`, `login-actions`. */
const loginWords = new Set(
  (
    'login logins dologin userlogin adminlogin logincheck checklogin loginpost postlogin submitlogin ' +
    'authenticate authentication authenticatebyname xmlrpc sso connexion anmelden inloggen'
  ).split(' '),
);
/** Beside such a word they make the name of something else. */
const noLoginWords = new Set(
  (
    'history event events log logs stat stats status config settings setting provider providers method methods option ' +
    'options help captcha heartbeat ping beacon track tracking token tokens csrf nonce page banner theme image'
  ).split(' '),
);
/** Segments that mean a login at the end of a path only: elsewhere they name whole areas. */
const loginEnds = new Set('auth session sessions token tokens access_token auth_token'.split(' '));
/** Names of the servlet filters of Spring and Jakarta, Jenkins and Synology, which say it in words of their own. */
const loginNames = new Set('j_spring_security_check j_acegi_security_check j_security_check logincheck'.split(' '));
const tokenParents =
  /^(?:oauth2?|auth|connect|openid-connect|api|v\d{1,2}|identity|account|accounts|user|users|protocol)$/;
/** Administration tools and webmail whose form posts to the index page. */
const adminForms =
  /^\/(?:[\w-]{1,40}\/)?(?:(?:administrator|phpmyadmin|pma|admin|adminer|roundcube|webmail|zabbix|cacti|zimbra)\/(?:index\.php)?|sogo\/connect|cgi-bin\/luci\/?)$/;
/** Parameters by which one script serves many pages; what they say belongs to the path. */
const dispatch =
  /(?:^|&)(?:_?task|mode|do|act|action|op|option|view|controller|ctrl|route|r|q|page|title|mod|cmd|func|module)=([^&]{1,64})/gi;

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
  const named = path.split('/').filter(Boolean).slice(0, 16).slice(-2);
  if (named.some((s) => meansLogin(withoutExtension(s))) || adminForms.test(lower)) return FlowType.LOGIN;
  if (
    loginEnds.has(last) &&
    (last === 'auth' || last.startsWith('session') || segments.some((s) => tokenParents.test(s)))
  ) {
    return FlowType.LOGIN;
  }
  // OmniAuth takes the password of a directory at /users/auth/ldap/callback.
  if (last === 'callback' && segments.at(-2)?.startsWith('ldap')) return FlowType.LOGIN;
  return query !== '' && dispatchesLogin(query) ? FlowType.LOGIN : undefined;
}

/** `AdminLogin`, `sign_in`, `login-actions`; not `login-history`. */
function meansLogin(name: string): boolean {
  if (loginNames.has(name.toLowerCase())) return true;
  const words = name
    .slice(0, 80)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/(?<![a-z])(?:log|sign)[^a-z]?(?:in|on)(?![a-z])/g, 'login')
    .split(/[^a-z]+/);
  return words.some((word) => loginWords.has(word)) && !words.some((word) => noLoginWords.has(word));
}

function dispatchesLogin(query: string): boolean {
  // Drupal 7 without clean paths.
  if (query === 'q=user') return true;
  for (const [, value = ''] of query.slice(0, 512).matchAll(dispatch)) {
    const parts = value.replace(/%(?:2f|3a|5c)/gi, '/').split(/[/:.\\]/);
    if (parts.slice(-2).some(meansLogin)) return true;
  }
  return false;
}

function withoutExtension(segment: string): string {
  const dot = segment.lastIndexOf('.');
  return dot > 0 && /^\.[a-z]{2,5}\d?$/i.test(segment.slice(dot)) ? segment.slice(0, dot) : segment;
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
