import { describe, expect, test } from 'vitest';
import { Signal } from '../observation.ts';
import { readSignals } from './signals.ts';
import { readUserAgent } from './user-agent.ts';

function names(bits: number): string[] {
  return Object.entries(Signal)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name);
}

describe('content signals', () => {
  test.each([
    '/union-square',
    '/blog/../images/x.png',
    '/../favicon.ico',
    '/phpmyadmin/sql.php?db=shop&sql_query=SELECT+%2A+FROM+%60orders%60',
    '/api/datasources/proxy/1/query?db=t&q=SELECT%20mean(%22x%22)%20FROM%20%22cpu%22%20WHERE%20time%20%3E%20now()%20-%201h',
    '/select-a-plan',
    '/products?sort=asc&order_by=price',
    '/search?q=credit+union+select+account',
    '/search?q=how+to+drop+a+table+in+excel',
    "/search?q=o'reilly+and+sons",
    '/blog/2024/05/what-is-an-environment-variable',
    '/administration-fees',
    '/docs/admin-guide/users',
    '/.well-known/acme-challenge/FMuukC2JOJ5HKmLBujjE_BkDo',
    '/.well-known/openid-configuration',
    '/etc-and-more',
    '/wp-content/uploads/2023/01/photo.jpg',
    '/wp-json/wp/v2/posts?per_page=10',
    '/wp-json/wp/v2/users/me?context=edit',
    '/api/v2/users?filter[name]=anna&page[size]=20',
    '/login?next=/account/orders',
    '/redirect?url=https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc',
    '/caf%C3%A9/men%C3%BC',
    '/feed/?format=rss&id=12',
    '/items/1,2,3?fields=id,name,price',
    '/search?q=c%2B%2B+sleep(+function',
    '/search?q=1+or+2+bedrooms',
    '/rest/api/2/search?jql=project%20%3D%20ABC%20ORDER%20BY%20created%20DESC',
    '/a/b/c.d.e/file.tar.gz',
    '/releases/v1.2.3/app-1.2.3.zip',
    '/annotation/7:g.140453136A%3ET',
    '/script-writing-course?ref=email',
    '/graphql?query=%7Buser%7Bname%7D%7D',
    '/$metadata',
    "/odata/Products('42')",
    '/map?bbox=-0.5,51.2,0.3,51.7',
    '/?utm_source=news&utm_campaign=select%20offers',
    '/author/jane-doe/',
    '/@alice/with_replies',
    '/cart?coupon=SAVE10%25',
  ])('ordinary sites stay quiet: %s', (target) => {
    expect(names(readSignals('GET', target).always)).toEqual([]);
  });

  test.each([
    ['/.env', 'sensitiveFile'],
    ['/app/.git/config', 'sensitiveFile'],
    ['/backup.zip', 'sensitiveFile'],
    ['/wp-config.php.bak', 'sensitiveFile'],
    ['/db_dump_2024.sql', 'sensitiveFile'],
    ['/a/../../etc/passwd', 'pathTraversal'],
    ['/static/%252e%252e%252f%252e%252e%252fetc/passwd', 'pathTraversal'],
    ['/file?name=..%5c..%5cwindows%5cwin.ini', 'pathTraversal'],
    ["/p?id=1'%20or%20'1'='1", 'sqlInjection'],
    ['/p?id=1%20union%20select%20null,null', 'sqlInjection'],
    ['/p?id=1;drop%20table%20users', 'sqlInjection'],
    ['/q?x=%3Cscript%3Ealert(1)%3C/script%3E', 'scriptInjection'],
    ['/q?x=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E', 'scriptInjection'],
    ['/?x=${jndi:ldap://a/b}', 'codeInjection'],
    ['/cgi?cmd=;cat%20/etc/hosts', 'codeInjection'],
    ['/?name={{7*7}}', 'codeInjection'],
    ['/?author=3', 'userEnumeration'],
    ['/wp-json/wp/v2/users', 'userEnumeration'],
    ['/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php', 'exploitPath'],
    ['/\\x16\\x03\\x01', 'malformedRequest'],
  ])('%s is %s', (target, signal) => {
    expect(names(readSignals('GET', target).always)).toContain(signal);
  });

  test('panels of known software count only where they are not there', () => {
    for (const path of ['/phpmyadmin/index.php', '/wp-login.php', '/solr/admin/info/system', '/actuator/env']) {
      const signals = readSignals('GET', path);
      expect(signals.always).toBe(0);
      expect(names(signals.whenRefused)).toEqual(['adminProbe']);
    }
  });

  test('files of repositories count only where they are not there', () => {
    for (const path of ['/ann/app/src/branch/main/.env.example', '/g/app/-/blob/main/docker-compose.yml'])
      expect([names(readSignals('GET', path).always), names(readSignals('GET', path).whenRefused)]).toEqual([
        [],
        ['sensitiveFile'],
      ]);
    expect(names(readSignals('GET', '/app/.env').always)).toEqual(['sensitiveFile']);
  });

  test.each(['/a/../../etc', '/%2e%2e/admin', '/x/..%2fadmin', '/x/..;/manager/html', '/?f=../../../../etc/passwd'])(
    'climbing out is a traversal: %s',
    (target) => expect(names(readSignals('GET', target).always)).toContain('pathTraversal'),
  );

  test('noise that is no request is malformed', () => {
    expect(names(readSignals('', '\u0016\u0003\u0001').always)).toContain('malformedRequest');
    expect(names(readSignals('GET', `/${'a'.repeat(9000)}`).always)).toEqual(['malformedRequest']);
  });

  test('half and endless escapes do not throw', () => {
    for (const target of ['/%', '/%%%', '/%zz', '/%25%25%25', '/?%', `/${'%25'.repeat(2000)}`, '/\ud800']) {
      expect(readSignals('GET', target).whenRefused).toBe(0);
    }
  });
});

describe('user agents', () => {
  test.each([
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
    'Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)',
    'Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers)',
    'Uptime-Kuma/1.23.11',
    'kube-probe/1.29',
    'Tiny Tiny RSS/21.01 (http://tt-rss.org/)',
  ])('%s names itself', (userAgent) => {
    expect(readUserAgent(userAgent, 1, 1)).toMatchObject({ declaredBot: true, knownTool: false });
  });

  test.each([
    'sqlmap/1.7.2#stable (https://sqlmap.org)',
    'Mozilla/5.0 zgrab/0.x',
    'masscan/1.0 (https://github.com/robertdavidgraham/masscan)',
    'Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:Port Check)',
    'gobuster/3.6',
  ])('%s is a known tool', (userAgent) => {
    expect(readUserAgent(userAgent, 1, 1).knownTool).toBe(true);
  });

  test.each([
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Version/17.1 Mobile/15E148 Safari/604.1',
    'curl/8.5.0',
    'python-requests/2.31.0',
    'okhttp/4.12.0',
    'Dalvik/2.1.0 (Linux; U; Android 13; Cubot X70)',
  ])('%s is neither', (userAgent) => {
    expect(readUserAgent(userAgent, 1, 1)).toMatchObject({ declaredBot: false, knownTool: false });
  });
});
