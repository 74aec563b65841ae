/**
 * How well-known software answers a sign-in, as its access log shows it: method, path, status, size, and what a browser
 * asks for next. Facts about the products; whoever attacks and whoever forgot a password meet the same answers.
 */
import type { Random } from '../random.ts';
import type { Site } from './actors.ts';

interface Answer {
  status: number;
  bytes: readonly [from: number, to: number];
  /** What a browser fetches next: the target of the redirect, or data of the page it now shows. */
  next?: string;
  nextStatus?: number;
}

export interface SignIn {
  name: string;
  /** Page with the form; none for a program's interface or a password by header. */
  form?: { path: string; bytes: number; assets: readonly string[] };
  method: string;
  post: string;
  wrong: Answer;
  right: Answer;
  /** The user's name stands in the third column (a password by header). */
  named?: boolean;
}

const wpAssets = ['/wp-includes/css/dashicons.min.css?ver=6.5', '/wp-admin/css/login.min.css?ver=6.5'] as const;

export const signIns = {
  wordpress: {
    name: 'WordPress',
    form: { path: '/wp-login.php', bytes: 6410, assets: wpAssets },
    method: 'POST',
    post: '/wp-login.php',
    wrong: { status: 200, bytes: [6820, 6860] },
    right: { status: 302, bytes: [0, 20], next: '/wp-admin/' },
  },
  drupal: {
    name: 'Drupal',
    form: { path: '/user/login', bytes: 9120, assets: ['/core/themes/olivero/css/base/base.css?s9x'] },
    method: 'POST',
    post: '/user/login',
    wrong: { status: 200, bytes: [9480, 9560] },
    right: { status: 303, bytes: [300, 420], next: '/user/7' },
  },
  joomla: {
    name: 'Joomla administrator, which redirects to itself either way',
    form: { path: '/administrator/', bytes: 4970, assets: ['/media/templates/administrator/atum/css/template.css'] },
    method: 'POST',
    post: '/administrator/index.php',
    wrong: { status: 303, bytes: [0, 20], next: '/administrator/index.php' },
    right: { status: 303, bytes: [0, 20], next: '/administrator/index.php' },
  },
  phpMyAdmin: {
    name: 'phpMyAdmin',
    form: { path: '/phpmyadmin/', bytes: 18_400, assets: ['/phpmyadmin/themes/pmahomme/css/theme.css?v=5.2.1'] },
    method: 'POST',
    post: '/phpmyadmin/index.php?route=/',
    wrong: { status: 200, bytes: [18_900, 19_000] },
    right: { status: 302, bytes: [0, 0], next: '/phpmyadmin/index.php?route=/' },
  },
  roundcube: {
    name: 'Roundcube webmail',
    form: { path: '/webmail/', bytes: 5720, assets: ['/webmail/skins/elastic/styles/styles.min.css?s=17'] },
    method: 'POST',
    post: '/webmail/?_task=login',
    wrong: { status: 200, bytes: [5790, 5830] },
    right: { status: 302, bytes: [0, 0], next: '/webmail/?_task=mail&_token=9f3a' },
  },
  gitlab: {
    name: 'GitLab',
    form: { path: '/users/sign_in', bytes: 12_700, assets: ['/assets/application-2f1.css'] },
    method: 'POST',
    post: '/users/sign_in',
    wrong: { status: 422, bytes: [12_950, 13_000] },
    right: { status: 302, bytes: [90, 110], next: '/dashboard/projects' },
  },
  grafana: {
    name: 'Grafana',
    form: { path: '/login', bytes: 31_000, assets: ['/public/build/app.8.js'] },
    method: 'POST',
    post: '/login',
    wrong: { status: 401, bytes: [73, 73] },
    right: { status: 200, bytes: [41, 41], next: '/api/search?limit=30' },
  },
  keycloak: {
    name: 'Keycloak',
    form: {
      path: '/realms/main/protocol/openid-connect/auth?client_id=portal&response_type=code',
      bytes: 3900,
      assets: ['/resources/x1/login/keycloak.v2/css/styles.css'],
    },
    method: 'POST',
    post: '/realms/main/login-actions/authenticate?session_code=Q&execution=e&client_id=portal&tab_id=T',
    wrong: { status: 200, bytes: [4180, 4230] },
    right: { status: 302, bytes: [0, 0] },
  },
  jenkins: {
    name: 'Jenkins',
    form: { path: '/login?from=%2F', bytes: 2250, assets: ['/static/5b/jsbundles/simple-page.css'] },
    method: 'POST',
    post: '/j_spring_security_check',
    wrong: { status: 302, bytes: [0, 0], next: '/loginError', nextStatus: 401 },
    right: { status: 302, bytes: [0, 0], next: '/' },
  },
  router: {
    name: 'OpenWrt LuCI',
    form: { path: '/cgi-bin/luci/', bytes: 2300, assets: ['/luci-static/bootstrap/cascade.css'] },
    method: 'POST',
    post: '/cgi-bin/luci/',
    wrong: { status: 403, bytes: [2400, 2400] },
    right: { status: 302, bytes: [0, 0], next: '/cgi-bin/luci/admin/status' },
  },
  nextcloud: {
    name: 'Nextcloud, which redirects either way',
    form: { path: '/login', bytes: 8100, assets: ['/core/css/guest.css?v=1'] },
    method: 'POST',
    post: '/login',
    wrong: { status: 303, bytes: [0, 0], next: '/login?user=ann&direct=1' },
    right: { status: 303, bytes: [0, 0], next: '/apps/dashboard/' },
  },
  moodle: {
    name: 'Moodle, which redirects either way',
    form: { path: '/login/index.php', bytes: 24_000, assets: ['/theme/styles.php/boost/17/all'] },
    method: 'POST',
    post: '/login/index.php',
    wrong: { status: 303, bytes: [420, 450], next: '/login/index.php' },
    right: { status: 303, bytes: [420, 450], next: '/my/' },
  },
  django: {
    name: 'Django administration',
    form: { path: '/admin/login/?next=/admin/', bytes: 4200, assets: ['/static/admin/css/login.css'] },
    method: 'POST',
    post: '/admin/login/?next=/admin/',
    wrong: { status: 200, bytes: [4390, 4410] },
    right: { status: 302, bytes: [0, 0], next: '/admin/' },
  },
  tomcat: {
    name: 'Tomcat manager, password by header',
    method: 'GET',
    post: '/manager/html',
    wrong: { status: 401, bytes: [2499, 2499] },
    right: { status: 200, bytes: [15_000, 17_000] },
    named: true,
  },
  spa: {
    name: 'a single-page app that answers 401',
    method: 'POST',
    post: '/api/auth/login',
    wrong: { status: 401, bytes: [62, 62] },
    right: { status: 200, bytes: [880, 930], next: '/api/me' },
  },
  okFalse: {
    name: 'an interface that answers 200 to a wrong password',
    method: 'POST',
    post: '/api/v1/login',
    wrong: { status: 200, bytes: [47, 47] },
    right: { status: 200, bytes: [880, 930], next: '/api/v1/profile' },
  },
  legacyPhp: {
    name: 'a script that redirects either way',
    form: { path: '/login.php', bytes: 3100, assets: ['/css/style.css'] },
    method: 'POST',
    post: '/login.php',
    wrong: { status: 302, bytes: [0, 0], next: '/login.php?error=1' },
    right: { status: 302, bytes: [0, 0], next: '/index.php' },
  },
  owa: {
    name: 'Outlook on the web, whose answers are all alike',
    form: { path: '/owa/auth/logon.aspx', bytes: 58_000, assets: ['/owa/auth/15.2.1/themes/resources/logon.css'] },
    method: 'POST',
    post: '/owa/auth.owa',
    wrong: { status: 302, bytes: [0, 0], next: '/owa/auth/logon.aspx' },
    right: { status: 302, bytes: [0, 0], next: '/owa/' },
  },
  webmin: {
    name: 'Webmin',
    form: { path: '/', bytes: 2900, assets: ['/unauthenticated/style.css'] },
    method: 'POST',
    post: '/session_login.cgi',
    wrong: { status: 401, bytes: [3000, 3050] },
    right: { status: 302, bytes: [0, 0], next: '/sysinfo.cgi' },
  },
} as const satisfies Record<string, SignIn>;

export type Product = keyof typeof signIns;

export interface Who {
  address: string;
  agent: string;
  user?: string;
}

function size(random: Random, [from, to]: readonly [number, number]): number {
  return random.whole(from, to);
}

/** One attempt as a browser makes it; returns when it is done. */
function attempt(site: Site, product: SignIn, at: number, who: Who, right: boolean): number {
  const { log, random } = site;
  const answer = right ? product.right : product.wrong;
  const form = product.form ? `${site.origin}${product.form.path}` : `${site.origin}/`;
  log.add({
    at,
    ...who,
    ...(product.named ? { user: 'admin' } : {}),
    method: product.method,
    path: product.post,
    status: answer.status,
    bytes: size(random, answer.bytes),
    referer: product.named ? '-' : form,
  });
  if (answer.next === undefined) return at + 200;
  log.add({
    at: at + random.between(80, 400),
    ...who,
    path: answer.next,
    status: answer.nextStatus ?? 200,
    bytes: random.whole(3000, 9000),
    referer: form,
  });
  return at + 500;
}

/** How often people mistype before they get in, or give up. */
const mistakes = [
  [0, 70],
  [1, 17],
  [2, 7],
  [3, 3.5],
  [4, 1.5],
  [5, 0.6],
  [6, 0.3],
  [7, 0.1],
] as const;

/** Somebody signs in with a browser, mistypes now and then, and sometimes gives up. Returns when it is done. */
export function personSignsIn(site: Site, product: SignIn, start: number, who: Who): number {
  const { log, random } = site;
  let at = start;
  if (product.form) {
    log.add({ at, ...who, path: product.form.path, bytes: product.form.bytes, referer: '-' });
    for (const asset of product.form.assets)
      if (random.chance(0.6))
        log.add({
          at: at + random.between(50, 300),
          ...who,
          path: asset,
          status: random.chance(0.4) ? 304 : 200,
          bytes: 7000,
          referer: `${site.origin}${product.form.path}`,
        });
  } else if (!product.named) log.add({ at, ...who, path: '/', bytes: 4100, referer: '-' });
  const wrong = random.weighted(mistakes);
  const pace = random.lognormal(9_000, 0.5);
  for (let i = 0; i < wrong; i++) {
    at += Math.max(1_800, random.lognormal(pace, 0.4));
    at = attempt(site, product, at, who, false);
  }
  if (wrong >= 4 && random.chance(0.6)) return at;
  return attempt(site, product, at + Math.max(1_800, random.lognormal(pace, 0.4)), who, true);
}

export interface Guessing {
  addresses: readonly string[];
  agentOf(i: number): string;
  attempts: number;
  pauseMs: number;
  /** Spread of the pauses: 0 a metronome, 1 anything from 0 to twice. */
  spread: number;
  /** Fetches the form before each attempt, for its token. */
  fetchesForm?: boolean;
  referer?: boolean;
  followsRedirects?: boolean;
}

/** Programs guess. */
export function guess(site: Site, product: SignIn, start: number, how: Guessing): void {
  const { log, random } = site;
  let at = start;
  for (let i = 0; i < how.attempts; i++) {
    const who = { address: how.addresses[i % how.addresses.length] as string, agent: how.agentOf(i) };
    const form = product.form?.path;
    if (how.fetchesForm && form !== undefined && product.form) {
      log.add({ at, ...who, path: form, bytes: product.form.bytes, referer: '-' });
      at += random.between(150, 500);
    }
    log.add({
      at,
      ...who,
      ...(product.named ? { user: random.pick(['admin', 'tomcat', 'root', 'manager']) } : {}),
      method: product.method,
      path: product.post,
      status: product.wrong.status,
      bytes: size(random, product.wrong.bytes),
      referer: how.referer ? `${site.origin}${form ?? '/'}` : '-',
    });
    if (how.followsRedirects && product.wrong.next !== undefined)
      log.add({
        at: at + 120,
        ...who,
        path: product.wrong.next,
        status: product.wrong.nextStatus ?? 200,
        bytes: product.form?.bytes ?? 900,
        referer: '-',
      });
    at += how.pauseMs * random.between(1 - how.spread, 1 + how.spread);
  }
}
