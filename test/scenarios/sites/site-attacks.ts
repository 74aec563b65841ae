/** Attacks as they look in a site's log, each by principals of its own, so that what is found can be told from what is not. */

import { addressOf, browsers, minute, type Site } from './actors.ts';

export interface SiteAttack {
  name: string;
  /** Who attacks; one address unless it is distributed. */
  addresses: string[];
  /** First request of the attack, Unix ms. */
  firstAt: number;
}

type AttackOf = (site: Site, at: number) => SiteAttack;

const words =
  '.env .git/config .git/HEAD .svn/entries .htpasswd .aws/credentials admin/ administrator/ phpmyadmin/ pma/ backup.zip backup.sql db.sql dump.sql wp-config.php.bak config.php.old phpinfo.php info.php test.php shell.php server-status cgi-bin/ console/ actuator/env actuator/health solr/ jenkins/ manager/html web.config .DS_Store composer.lock vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php .vscode/sftp.json id_rsa old/ new/ temp/ tmp/ private/ secret/ hidden/ staging/ dev/ beta/ internal/ uploads/ logs/ log/ data/ include/ includes/ inc/ lib/ scripts/ sql/ db/ database/ cache/ conf/ setup/ install/ api/v1/ api/v2/ swagger.json graphql xmlrpc.php wp-login.php wp-admin/'.split(
    ' ',
  );

/** One address guesses; WordPress answers 200 each time. */
function wordpressLogin(pauseMs: number, attempts: number, spread: number): AttackOf {
  return (site, at) => {
    const address = '185.220.101.7';
    let t = at;
    for (let i = 0; i < attempts; i++) {
      site.log.add({
        at: t,
        address,
        agent: browsers[3],
        method: 'POST',
        path: '/wp-login.php',
        bytes: 5364 + (i % 3),
      });
      t += pauseMs * site.random.between(1 - spread, 1 + spread);
    }
    return { name: `wp-login every ${pauseMs / 1000} s`, addresses: [address], firstAt: at };
  };
}

const xmlrpc: AttackOf = (site, at) => {
  const address = '185.220.101.8';
  for (let i = 0; i < 200; i++)
    site.log.add({ at: at + i * 700, address, agent: browsers[0], method: 'POST', path: '/xmlrpc.php', bytes: 674 });
  return { name: 'xmlrpc', addresses: [address], firstAt: at };
};

function wordList(name: string, agent: string, pauseMs: number): AttackOf {
  return (site, at) => {
    const address = '45.155.205.33';
    let t = at;
    for (const word of words) {
      site.log.add({ at: t, address, agent, path: `/${word}`, status: word.startsWith('wp-') ? 200 : 404, bytes: 180 });
      t += site.random.between(0.3, 1.7) * pauseMs;
    }
    return { name, addresses: [address], firstAt: at };
  };
}

/** Three requests and gone: the background noise of the internet. */
const drive: AttackOf = (site, at) => {
  const address = '193.32.162.4';
  for (const [i, path] of ['/.env', '/.git/config', '/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php'].entries())
    site.log.add({ at: at + i * 900, address, agent: 'Mozilla/5.0', path, status: 404, bytes: 180 });
  return { name: 'three probes', addresses: [address], firstAt: at };
};

const injection: AttackOf = (site, at) => {
  const address = '91.240.118.9';
  for (let i = 0; i < 40; i++)
    site.log.add({
      at: at + i * 400,
      address,
      agent: browsers[1],
      path: `/search?q=1%27%20UNION%20ALL%20SELECT%20NULL${'%2CNULL'.repeat(i % 9)}%2CCONCAT(0x71,${i})--%20-`,
      status: i % 4 ? 200 : 500,
    });
  return { name: 'sql injection', addresses: [address], firstAt: at };
};

function scraper(pauseMs: number, pages: number): AttackOf {
  return (site, at) => {
    const address = '51.15.99.12';
    for (let i = 0; i < pages; i++)
      site.log.add({
        at: at + i * pauseMs * site.random.between(0.97, 1.03),
        address,
        agent: browsers[0],
        path: `/products/${i}`,
      });
    return { name: `scraper every ${pauseMs / 1000} s`, addresses: [address], firstAt: at };
  };
}

/** Accounts by the hundred from one address; the form answers 200 to failure. */
const stuffing: AttackOf = (site, at) => {
  const address = '194.26.192.64';
  let t = at;
  for (let i = 0; i < 150; i++) {
    const works = i % 70 === 69;
    site.log.add({
      at: t,
      address,
      agent: browsers[7],
      method: 'POST',
      path: '/login',
      status: works ? 302 : 200,
      bytes: works ? 0 : 3120,
    });
    t += site.random.between(1_000, 5_000);
  }
  return { name: 'stuffing on /login', addresses: [address], firstAt: at };
};

/** 120 addresses, two attempts each. */
const distributedLogin: AttackOf = (site, at) => {
  const addresses: string[] = [];
  for (let i = 0; i < 120; i++) {
    const address = addressOf(20_000 + i * 3);
    addresses.push(address);
    for (let n = 0; n < 2; n++)
      site.log.add({
        at: at + i * 2_000 + n * 40_000,
        address,
        agent: 'Mozilla/5.0 (Windows NT 6.1; WOW64; rv:40.0) Gecko/20100101 Firefox/40.1',
        method: 'POST',
        path: '/wp-login.php',
        bytes: 5364,
      });
  }
  return { name: 'distributed wp-login', addresses, firstAt: at };
};

const flood: AttackOf = (site, at) => {
  const address = '5.188.10.77';
  for (let i = 0; i < 3_000; i++)
    site.log.add({
      at: at + i * 20,
      address,
      agent: browsers[2],
      path: `/?${site.random.hex(8)}`,
      status: i % 10 ? 200 : 503,
    });
  return { name: 'flood', addresses: [address], firstAt: at };
};

const tools = {
  nikto: 'Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:map_codes)',
  dirb: 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)',
} as const;

export const siteAttacks: Readonly<Record<string, AttackOf>> = {
  wordpressFast: wordpressLogin(300, 120, 0.5),
  wordpressSteady: wordpressLogin(6_000, 90, 0.3),
  wordpressSlow: wordpressLogin(minute, 60, 0.3),
  xmlrpc,
  nikto: wordList('nikto', tools.nikto, 250),
  dirb: wordList('dirb', tools.dirb, 120),
  slowProbe: wordList('slow probing', browsers[0], 20_000),
  drive,
  injection,
  scraper: scraper(1_200, 900),
  politeScraper: scraper(5_000, 1_300),
  stuffing,
  distributedLogin,
  flood,
};
