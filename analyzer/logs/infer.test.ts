import { Readable } from 'node:stream';
import { FlowType, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { validateObject } from '@picket/crds/validate.ts';
import { parseAllDocuments } from 'yaml';
import { describe, expect, it } from 'vitest';
import { type AccessRecord, createAccessRecord, Feed } from '../ingest/access-record.ts';
import { FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';
import { createLogInferrer, inferFromLogs, type LogInference } from './infer.ts';
import { openLogs } from './open.ts';
import { starterManifests } from './starter-manifests.ts';

const noon = Date.UTC(2024, 0, 31, 12);

function record(fields: Partial<AccessRecord>): AccessRecord {
  return {
    ...createAccessRecord(Feed.replay, 'x.log'),
    startedAtMs: noon,
    method: 'GET',
    path: '/',
    status: 200,
    remoteAddress: '203.0.113.9',
    userAgent: 'Mozilla/5.0',
    ...fields,
  };
}

function infer(records: Partial<AccessRecord>[]): LogInference {
  const inferrer = createLogInferrer();
  records.forEach((fields, i) => inferrer.observe(record({ startedAtMs: noon + i * 1000, ...fields })));
  return inferrer.conclude();
}

function repeat<T>(count: number, of: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => of(i));
}

function flows(inference: LogInference) {
  return inference.apis.flatMap((api) =>
    api.policy.flows.map((flow) => ({
      name: flow.name,
      type: flow.type,
      path: flow.path,
      success: flow.success.flatMap((c) =>
        c.all.flatMap(({ test }) => (test.case === 'status' ? test.value.codes : [])),
      ),
    })),
  );
}

const post = (path: string, status: number, extra: Partial<AccessRecord> = {}) => ({
  method: 'POST',
  path,
  status,
  ...extra,
});

describe('logins', () => {
  it.each([
    '/session_login.cgi',
    '/Account/LogOn',
    '/customer/account/loginPost',
    '/cgi-bin/luci/',
    '/owa/auth.owa',
    '/Users/authenticatebyname',
    '/webmail/?_task=login',
    '/index.php?option=com_users&task=user.login',
    '/index.php?route=account%2Flogin',
    '/admin4/index.php?controller=AdminLogin',
    '/index.php?title=Special:UserLogin&returnto=Main',
  ])('knows %s by its words', (path) => {
    expect(flows(infer(repeat(3, () => post(path, 200))))).toMatchObject([{ type: FlowType.LOGIN }]);
  });

  it.each(['/api/login-history', '/blog/login-page', '/cart?page=2', '/index.php?title=Login_help&action=submit'])(
    'does not take %s for one',
    (path) =>
      expect(flows(infer(repeat(3, () => post(path, 200)))).filter((f) => f.type === FlowType.LOGIN)).toEqual([]),
  );

  it('leaves a script alone that does other things more often', () => {
    const records = [
      ...repeat(3, () => post('/index.php?task=login', 200)),
      ...repeat(9, () => post('/index.php', 200)),
    ];
    expect(flows(infer(records))).toEqual([]);
  });

  it('takes a form that refuses one client again and again for a login', () => {
    const guesses = repeat(9, () => post('/device/enter', 403));
    expect(flows(infer(guesses))).toMatchObject([{ name: 'sign-in', path: '/device/enter' }]);
    expect(flows(infer(guesses.map((g) => ({ ...g, referer: 'https://a.example/device' }))))).toEqual([]);
  });

  it('learns logins that are tried for the first time behind the sample', () => {
    const inference = infer(repeat(20, () => ({ path: '/' })));
    expect(inference.follow(record({ path: '/about' }))).toBeUndefined();
    const api = inference.follow(record(post('/wp-login.php', 200)));
    expect(api?.policy.flows.map((f) => [f.name, f.path])).toEqual([['login', '/wp-login.php']]);
    expect(api?.policy.revision).not.toBe(infer(repeat(20, () => ({ path: '/' }))).apis[0]?.policy.revision);
    expect(api?.notes.join()).toContain('/wp-login.php is a login');
    expect(inference.follow(record(post('/wp-login.php', 200)))).toBeUndefined();
    const next = inference.follow(record(post('/account/login', 401)));
    expect(next?.policy.flows.map((f) => f.name)).toEqual(['login', 'login-2']);
  });
  it('knows that WordPress answers 200 to a wrong password, even when nobody got in', () => {
    expect(flows(infer(repeat(9, () => post('/wp-login.php', 200))))).toEqual([
      { name: 'login', type: FlowType.LOGIN, path: '/wp-login.php', success: [302, 303] },
    ]);
  });

  it('a form that comes again with 200 and redirects otherwise: redirects mean success', () => {
    const [flow] = flows(
      infer([...repeat(20, () => post('/account/login', 200)), ...repeat(5, () => post('/account/login', 302))]),
    );
    expect(flow?.success).toEqual([302, 303]);
  });

  it('redirects that lead back to the form do not mean success', () => {
    const records = repeat(10, () => [post('/login', 302), { path: '/login' }]).flat();
    expect(flows(infer([...records, post('/login', 200)]))[0]?.success).toEqual([]);
  });

  it('refusals by status', () => {
    const [flow] = flows(
      infer([...repeat(5, () => post('/api/auth/token', 401)), ...repeat(5, () => post('/api/auth/token', 200))]),
    );
    expect(flow).toMatchObject({ type: FlowType.LOGIN, path: '/api/auth/token' });
    expect(flow?.success).toContain(200);
    expect(flow?.success).not.toContain(401);
  });

  it('the same answer to everything is left to be learned', () => {
    expect(flows(infer(repeat(9, () => post('/login', 200))))[0]?.success).toEqual([]);
  });

  it('a login that is not there is a probe, not a login', () => {
    expect(flows(infer(repeat(9, () => post('/wp-login.php', 404))))).toEqual([]);
  });

  it('reading the form is no attempt, logging out is no login', () => {
    expect(flows(infer([{ path: '/login' }, { path: '/auth/logout', status: 302 }]))).toEqual([
      { name: 'logout', type: FlowType.LOGOUT, path: '/auth/logout', success: [] },
    ]);
  });

  it('many 401 in a row on any path are sign-ins by header', () => {
    const [flow] = flows(infer(repeat(6, () => ({ path: '/', status: 401 }))));
    expect(flow).toMatchObject({ name: 'sign-in', type: FlowType.LOGIN, path: '/' });
    expect(flow?.success).not.toContain(401);
  });

  it.each([
    ['a monitor', repeat(300, () => ({ path: '/', status: 401, userAgent: 'Uptime-Kuma/1.23.11' }))],
    ['a poll now and then', repeat(50, (i) => ({ path: '/', status: 401, startedAtMs: noon + i * 60_000 }))],
    [
      'the handshake of NTLM',
      repeat(20, () => [
        { path: '/', status: 401 },
        { path: '/', status: 200 },
      ]).flat(),
    ],
  ])('%s is not', (_, records) => {
    expect(flows(infer(records))).toEqual([]);
  });

  it('takes the account from the query or the body where it is there', () => {
    const query = infer([post('/login?user=bob&x=1', 200), post('/login?user=eve', 401)]);
    expect(query.apis[0]?.policy.flows[0]?.account?.from).toEqual({ case: 'query', value: 'user' });
    const metadata = (namespace: string, path: string) =>
      namespace === FLOW_METADATA_NAMESPACE && path.endsWith(':request.email') ? 'a@b.example' : undefined;
    const body = infer([post('/login', 200, { metadata })]);
    expect(body.apis[0]?.policy.flows[0]?.account?.from).toEqual({ case: 'requestField', value: '/email' });
  });
});

describe('APIs', () => {
  it('a log without hosts is one API for any host', () => {
    const { apis, notes } = infer([{}, {}]);
    expect(apis.map((api) => [api.policy.api, api.policy.hosts])).toEqual([['default/site', ['*']]]);
    expect(notes).toContain('the log names no host: everything is one API');
  });

  it('each host that answers is an API, ports and www. aside; hosts that scanners make up are not', () => {
    const { apis } = infer([
      ...repeat(400, () => ({ authority: 'Shop.example:443' })),
      ...repeat(300, () => ({ authority: 'www.shop.example' })),
      ...repeat(200, () => ({ authority: 'api.shop.example' })),
      ...repeat(100, (i) => ({ authority: `made-up-${i}.example`, status: 404 })),
      ...repeat(50, () => ({ authority: 'open.example', status: 404 })),
    ]);
    expect(apis.map((api) => [api.policy.api, api.policy.hosts])).toEqual([
      ['default/shop-example', ['shop.example', 'www.shop.example']],
      ['default/api-shop-example', ['api.shop.example']],
      ['default/other-hosts', ['*']],
    ]);
  });

  it('each policy observes, and has a revision of its own content', () => {
    const a = infer([{ authority: 'a.example' }]).apis;
    const b = infer([{ authority: 'a.example' }, post('/login', 401, { authority: 'a.example' })]).apis;
    expect(a[0]?.policy.behavior?.mode).toBe(Mode.OBSERVE);
    expect(a[0]?.policy.apiUid).toBe(b[0]?.policy.apiUid);
    expect(a[0]?.policy.revision).not.toBe(b[0]?.policy.revision);
    expect(a[0]?.policy.revision).toBe(infer([{ authority: 'a.example' }]).apis[0]?.policy.revision);
  });
});

describe('identity and objects', () => {
  it('finds sessions, tokens and keys', () => {
    const headers = (entries: [string, string][]) => ({ requestHeaders: new Map(entries) });
    const { apis } = infer([
      headers([['cookie', 'theme=dark; PHPSESSID=abc; _ga=1']]),
      headers([['authorization', 'Bearer eyJhbGciOi.eyJzdWIiOi.c2ln']]),
      headers([['x-api-key', 'k']]),
    ]);
    expect(apis[0]?.policy.principals.map(({ kind, from }) => [kind, from.case, from.value])).toMatchObject([
      [PrincipalKind.USER, 'jwtClaim', { header: 'authorization', claim: 'sub' }],
      [PrincipalKind.TOKEN, 'header', 'authorization'],
      [PrincipalKind.APP, 'header', 'x-api-key'],
      [PrincipalKind.SESSION, 'cookie', 'PHPSESSID'],
    ]);
  });

  const owned = repeat(120, (i) => ({ path: `/orders/${1000 + (i % 40)}`, logUser: `user-${i % 20}` }));

  it('ids that one caller each asks for name owned objects, also when somebody walks them', () => {
    const walked = repeat(40, (i) => ({ path: `/orders/${1000 + i}`, logUser: 'mallory' }));
    expect(infer([...owned, ...walked]).apis[0]?.policy.objects).toMatchObject([
      { path: '/orders/{id}', variable: 'id', kind: 'Order' },
    ]);
  });

  it('pages of a quiet site have one reader each as well: an address is no owner', () => {
    const anonymous = owned.map((fields, i) => ({ ...fields, logUser: '', remoteAddress: `203.0.113.${i % 20}` }));
    expect(infer(anonymous).apis[0]?.policy.objects).toEqual([]);
  });

  it('pages that many read do not', () => {
    const pages = repeat(400, (i) => ({
      path: `/articles/${1000 + (i % 40)}`,
      logUser: `user-${(i * 7) % 50}`,
    }));
    expect(infer(pages).apis[0]?.policy.objects).toEqual([]);
  });
});

it('starter manifests are what the API server would accept, and say where they come from', () => {
  const inference = infer([
    ...repeat(120, (i) => ({
      authority: 'shop.example',
      path: `/orders/${1000 + (i % 40)}`,
      remoteAddress: `203.0.113.${i % 20}`,
      requestHeaders: new Map([
        ['cookie', `sid=${i % 20}`],
        ['authorization', `Bearer aaaa.bbbb${i % 20}.cccc`],
      ]),
    })),
    ...repeat(9, () => post('/login?user=x', 401, { authority: 'shop.example' })),
    post('/pay', 200, { authority: 'shop.example' }),
    { path: '/a{b}c/**', status: 401, authority: 'shop.example' },
    {},
  ]);
  const files = starterManifests(inference);
  expect(files.map((file) => file.name)).toEqual(['shop-example.yaml', 'other-hosts.yaml']);
  for (const { content } of files) {
    const documents = parseAllDocuments(content).map((document) => document.toJS() as { kind: string });
    expect(documents.map((document) => document.kind)).toEqual(['ProtectedAPI', 'BehaviorPolicy']);
    for (const document of documents) expect(validateObject(document.kind, document).errors).toEqual([]);
  }
  expect(files[0]?.content).toMatch(/# Inferred from 131 requests in/);
  expect(files[0]?.content).toContain('mode: Observe');
  expect(files[0]?.content).toContain('kind: Order');
});

it('looks at the first records only, and leaves the log to be read from its start', async () => {
  const text = Array.from(
    { length: 30 },
    (_, i) => `203.0.113.9 - - [31/Jan/2024:12:00:${String(i).padStart(2, '0')} +0000] "POST /login HTTP/1.1" 401 1\n`,
  ).join('');
  const logs = await openLogs({ cwd: '.', paths: ['-'], stdin: Readable.from([Buffer.from(text)]) });
  const inference = await inferFromLogs(logs, 10);
  expect(inference.sampled).toBe(10);
  expect(inference.apis[0]?.notes[0]).toMatch(/^POST \/login is a login \(10 attempts\); success is 200/);
  let read = 0;
  for await (const batch of logs.read()) read += batch.length;
  expect(read).toBe(30);
});

describe('crowds behind one address', () => {
  const browser = (i: number): string => `Mozilla/5.0 browser ${i % 10}`;
  const visits = (address: string) =>
    repeat(400, (i) => ({
      remoteAddress: address,
      userAgent: browser(i),
      path: `/page-${Math.floor(i / 10) % 8}`,
    }));

  it('takes the address from what a crowd shares, and keeps rare user agents', () => {
    const { crowds, notes } = infer([...visits('10.0.0.5'), { remoteAddress: '10.0.0.5', userAgent: 'sqlmap' }]);
    expect(notes.join()).toContain('10.0.0.5 stands for a crowd, 100 % of the requests');
    const one = record({ remoteAddress: '10.0.0.5', userAgent: browser(3) });
    crowds.blur(one);
    expect([one.remoteAddress, one.userAgent]).toEqual(['', '']);
    const tool = record({ remoteAddress: '10.0.0.5', userAgent: 'sqlmap' });
    crowds.blur(tool);
    expect([tool.remoteAddress, tool.userAgent]).toEqual(['', 'sqlmap']);
  });

  it('takes a log without clients for a crowd that it cannot name', () => {
    const { crowds, notes } = infer([...visits(''), { remoteAddress: '', userAgent: 'sqlmap' }]);
    expect(notes.join()).toContain('the log names no client for 100 % of the requests');
    expect(notes.join()).not.toContain('stand');
    const agentOf = (userAgent: string): string => {
      const one = record({ remoteAddress: '', userAgent });
      crowds.blur(one);
      return one.userAgent;
    };
    expect([agentOf(browser(3)), agentOf('sqlmap')]).toEqual(['', 'sqlmap']);
  });

  it('leaves an office among other visitors alone, and a tool that changes its name', () => {
    const office = infer([
      ...visits('198.51.100.7'),
      ...repeat(600, (i) => ({ remoteAddress: `203.0.113.${i % 250}` })),
    ]);
    const tool = infer(repeat(400, (i) => ({ userAgent: browser(i), path: `/p/${i}`, referer: 'x' })));
    const guesser = infer(repeat(400, (i) => ({ userAgent: browser(i), path: '/wp-login.php', method: 'POST' })));
    for (const { crowds } of [office, tool, guesser]) {
      for (const remoteAddress of ['198.51.100.7', '203.0.113.9']) {
        const one = record({ remoteAddress, userAgent: browser(3) });
        crowds.blur(one);
        expect(one.remoteAddress).toBe(remoteAddress);
      }
    }
  });
});
