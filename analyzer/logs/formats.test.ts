import { expect, it } from 'vitest';
import { collectRecords } from './collect-records.ts';
import { createAutoReader, createLineReader, type LineFormat } from './formats.ts';

type Expected = Record<string, unknown>;

const noon = Date.UTC(2024, 0, 31, 12, 0, 0);

/** [what it shows, format, line, fields] */
const cases: readonly (readonly [string, LineFormat, string, Expected])[] = [
  [
    'a combined line',
    'combined',
    '203.0.113.9 - alice [31/Jan/2024:13:00:00 +0100] "GET /a?b=1 HTTP/1.1" 200 12 "https://r.example/" "UA/1.0"',
    {
      remoteAddress: '203.0.113.9',
      logUser: 'alice',
      startedAtMs: noon,
      method: 'GET',
      path: '/a?b=1',
      status: 200,
      responseBytes: 12,
      referer: 'https://r.example/',
      userAgent: 'UA/1.0',
      durationMs: Number.NaN,
    },
  ],
  [
    'a common line with nothing sent',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "HEAD / HTTP/1.0" 304 -',
    { method: 'HEAD', status: 304, responseBytes: 0, userAgent: '' },
  ],
  [
    'a virtual host and IPv6',
    'combined',
    'shop.example:443 2001:db8::7 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/2.0" 200 1 "-" "-"',
    { authority: 'shop.example:443', remoteAddress: '2001:db8::7' },
  ],
  [
    'a virtual host that is an address',
    'combined',
    '192.0.2.1:80 203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1',
    { authority: '192.0.2.1:80', remoteAddress: '203.0.113.9' },
  ],
  [
    'IPv4 mapped into IPv6',
    'combined',
    '::ffff:203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1',
    { remoteAddress: '203.0.113.9' },
  ],
  [
    'a host name for the address',
    'combined',
    'dial-in.example.net - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.0" 200 1',
    { remoteAddress: 'dial-in.example.net', authority: '' },
  ],
  [
    'a client that the log leaves out',
    'combined',
    '- - - [31/Jan/2024:12:00:00 +0000] "GET /n HTTP/1.1" 200 1 "-" "UA"',
    { remoteAddress: '', path: '/n' },
  ],
  [
    'a client behind a Unix socket',
    'combined',
    'shop.example unix: - - [31/Jan/2024:12:00:00 +0000] "GET /n HTTP/1.1" 200 1 "-" "UA"',
    { remoteAddress: '', authority: 'shop.example', logUser: '' },
  ],
  [
    'a quoted address',
    'combined',
    '"203.0.113.9" - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1',
    { remoteAddress: '203.0.113.9' },
  ],
  [
    'a stray leading quote',
    'combined',
    '"203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"',
    { remoteAddress: '203.0.113.9', userAgent: 'UA' },
  ],
  [
    'a line that a spreadsheet quoted',
    'combined',
    '"203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] ""GET /x HTTP/1.1"" 200 1 ""-"" ""UA"""',
    { path: '/x', userAgent: 'UA' },
  ],
  [
    'a line with all quotes escaped',
    'combined',
    '"203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] \\"GET /x HTTP/1.1\\" 200 1 \\"-\\" \\"UA\\""',
    { path: '/x', status: 200 },
  ],
  [
    'a syslog prefix whose host is an address',
    'combined',
    'Jan 31 12:00:00 10.0.0.1 nginx: 203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"',
    { remoteAddress: '203.0.113.9', authority: '' },
  ],
  [
    'docker compose in front',
    'combined',
    'web-1  | 203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"',
    { remoteAddress: '203.0.113.9', userAgent: 'UA' },
  ],
  [
    'kubectl --prefix in front',
    'combined',
    '[pod/web-0/nginx] 203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"',
    { remoteAddress: '203.0.113.9' },
  ],
  [
    'a user with a space',
    'combined',
    '203.0.113.9 - John Doe [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1',
    { logUser: 'John Doe' },
  ],
  [
    'escaped quotes',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET /a\\"b HTTP/1.1" 200 1 "-" "a \\"quoted\\" agent"',
    { path: '/a"b', userAgent: 'a "quoted" agent' },
  ],
  [
    'quotes that nobody escaped',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET /a" onload="x HTTP/1.1" 200 1 "-" "UA"',
    { path: '/a" onload="x', status: 200 },
  ],
  [
    'a TLS hello',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "\\x16\\x03\\x01\\x02" 400 157 "-" "-"',
    { method: '', path: '\\x16\\x03\\x01\\x02', status: 400 },
  ],
  [
    'an empty request',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "" 400 0 "-" "-"',
    { method: '', path: '', status: 400 },
  ],
  [
    'no request',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "-" 408 -',
    { method: '', path: '-', status: 408 },
  ],
  [
    'a version of HTTP that does not exist',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.2" 400 157 "-" "x"',
    { method: '', path: 'GET / HTTP/1.2', status: 400 },
  ],
  [
    'the request time of NGINX',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA" rt=0.250 urt="0.200" host="a.example"',
    { startedAtMs: noon - 250, durationMs: 250, upstreamMs: 200, authority: 'a.example' },
  ],
  [
    'the client behind an own proxy',
    'combined',
    '10.1.2.3 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA" "198.51.100.1, 203.0.113.9"',
    { remoteAddress: '203.0.113.9', directAddress: '10.1.2.3' },
  ],
  [
    'a forwarded address that a stranger made up',
    'combined',
    '198.51.100.7 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA" "203.0.113.9"',
    { remoteAddress: '198.51.100.7' },
  ],
  [
    'the response time of Express',
    'combined',
    '::1 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA" - 12.345 ms',
    { durationMs: 12.345 },
  ],
  [
    'Traefik',
    'combined',
    '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA" 42 "web@docker" "http://10.0.0.2:80" 23ms',
    { durationMs: 23, startedAtMs: noon - 23 },
  ],
  [
    'Envoy',
    'envoy-text',
    '[2024-01-31T12:00:00.000Z] "POST /v1/x HTTP/2" 204 - 154 7 226 100 "203.0.113.9" "UA" "id-1" "api.example" "10.0.2.1:80"',
    {
      method: 'POST',
      path: '/v1/x',
      status: 204,
      requestBytes: 154,
      responseBytes: 7,
      durationMs: 226,
      upstreamMs: 100,
      remoteAddress: '203.0.113.9',
      requestId: 'id-1',
      authority: 'api.example',
    },
  ],
  [
    'Istio',
    'envoy-text',
    '[2024-01-31T12:00:00.000Z] "GET /s HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 3 - "-" "UA" "id-2" "b.example:8000" "-" inbound|80|| - 10.0.0.1:80 203.0.113.9:5000 out.b default',
    {
      status: 403,
      responseCodeDetails: 'rbac_access_denied_matched_policy[none]',
      responseBytes: 19,
      durationMs: 3,
      remoteAddress: '203.0.113.9',
      routeName: 'default',
      upstreamCluster: 'inbound|80||',
    },
  ],
  [
    'HAProxy',
    'haproxy',
    'Jan 31 12:00:00 lb haproxy[1]: 203.0.113.9:33317 [31/Jan/2024:12:00:00.250] fe be/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {shop.example|Mozilla/5.0} {} "GET /index.html HTTP/1.1"',
    {
      startedAtMs: noon + 250,
      durationMs: 109,
      upstreamMs: 69,
      status: 200,
      authority: 'shop.example',
      userAgent: 'Mozilla/5.0',
      path: '/index.html',
    },
  ],
  [
    'HAProxy with an IPv6 client',
    'haproxy',
    'Jan 31 12:00:00 lb haproxy[1]: 2001:db8::7:51234 [31/Jan/2024:12:00:00.250] fe be/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"',
    { remoteAddress: '2001:db8::7', path: '/' },
  ],
  [
    'HAProxy with an IPv6 client whose port could belong to the address',
    'haproxy',
    '2001:db8::7:5123 [31/Jan/2024:12:00:00.250] fe be/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"',
    { remoteAddress: '2001:db8::7' },
  ],
  [
    'HAProxy with a URL of HTTP/2',
    'haproxy',
    '203.0.113.9:5123 [31/Jan/2024:12:00:00.250] fe be/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET https://shop.example/a HTTP/2.0"',
    { authority: 'shop.example', path: '/a' },
  ],
  [
    'HAProxy with a URL of HTTP/1.1, which is somebody looking for a proxy',
    'haproxy',
    '203.0.113.9:5123 [31/Jan/2024:12:00:00.250] fe be/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET http://other.example/a HTTP/1.1"',
    { authority: '', path: 'http://other.example/a' },
  ],
  [
    'HAProxy without an answer',
    'haproxy',
    '203.0.113.9:33318 [31/Jan/2024:12:00:00.000] fe fe/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"',
    { method: '', path: '<BADREQ>', status: 400 },
  ],
  [
    'AWS ALB',
    'aws-alb',
    'https 2024-01-31T12:00:00.000000Z app/lb/1 203.0.113.9:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 3 57 "GET https://www.example.com:443/a?b HTTP/1.1" "curl/7" C T arn:x "Root=1-2" "-" "-" 1 2024-01-31T11:59:59.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"',
    {
      authority: 'www.example.com',
      path: '/a?b',
      durationMs: 171,
      startedAtMs: noon - 171,
      requestBytes: 3,
      requestId: 'Root=1-2',
    },
  ],
  [
    'AWS ALB without a target',
    'aws-alb',
    'h2 2024-01-31T12:00:00.000000Z app/lb/1 203.0.113.9:2817 - -1 -1 -1 503 - 34 366 "GET https://a.example:443/ HTTP/2.0" "curl/7" - - - "-" "-" "-" 0 2024-01-31T12:00:00.000000Z "fixed-response" "-" "-" "-" "-" "-" "-"',
    { status: 503, durationMs: Number.NaN },
  ],
  [
    'NPMplus',
    'nginx-proxy-manager',
    '[31/Jan/2024:12:00:00 +0000] a.example 203.0.113.9 0.227 "REPORT /dav/ HTTP/2.0" 207 125 440 - Some Agent/1 (x)',
    { authority: 'a.example', durationMs: 227, userAgent: 'Some Agent/1 (x)', method: 'REPORT' },
  ],
  [
    'NGINX Proxy Manager',
    'nginx-proxy-manager',
    '[31/Jan/2024:12:00:00 +0000] - 404 200 - GET https a.example "/v1?x" [Client 203.0.113.9] [Length 512] [Gzip -] [Sent-to 10.0.0.1] "UA" "-"',
    {
      status: 200,
      authority: 'a.example',
      path: '/v1?x',
      remoteAddress: '203.0.113.9',
      responseBytes: 512,
      userAgent: 'UA',
    },
  ],
  [
    'NGINX JSON',
    'json',
    '{"time_local":"31/Jan/2024:12:00:00 +0000","remote_addr":"203.0.113.9","request":"GET /a HTTP/1.1","status":"200","body_bytes_sent":"5","request_time":"0.100","http_user_agent":"UA","http_referrer":"-","upstream_response_time":"0.010, 0.050","host":"a.example"}',
    {
      path: '/a',
      status: 200,
      durationMs: 100,
      startedAtMs: noon - 100,
      upstreamMs: 50,
      responseBytes: 5,
      userAgent: 'UA',
      authority: 'a.example',
    },
  ],
  [
    'NGINX JSON that is no JSON',
    'json',
    '{"time":"2024-01-31T12:00:00Z","client":"203.0.113.9","method":"GET","uri":"/\\x22x","status":404,"urt": ,"bytes":-}',
    { path: '/"x', status: 404 },
  ],
  [
    'Envoy JSON',
    'json',
    '{"start_time":"2024-01-31T12:00:00.000Z","method":"GET","path":"/e","response_code":200,"response_flags":"-","duration":12,"bytes_sent":9,"bytes_received":0,"downstream_remote_address":"10.0.0.9:1","x-forwarded-for":"203.0.113.9","authority":"e.example","request_id":"r"}',
    { startedAtMs: noon, durationMs: 12, remoteAddress: '203.0.113.9', authority: 'e.example', requestBytes: 0 },
  ],
  [
    'Traefik JSON',
    'json',
    '{"ClientHost":"203.0.113.9","DownstreamStatus":200,"Duration":1500000,"RequestMethod":"GET","RequestPath":"/t","RequestHost":"t.example","StartUTC":"2024-01-31T12:00:00Z","DownstreamContentSize":4,"ClientUsername":"-","request_X-Api-Key":"k"}',
    { durationMs: 1.5, startedAtMs: noon, authority: 't.example', responseBytes: 4, logUser: '' },
  ],
  [
    'Caddy JSON',
    'json',
    `{"ts":${noon / 1000},"logger":"http.log.access","request":{"client_ip":"203.0.113.9","method":"POST","host":"c.example","uri":"/c?d","headers":{"User-Agent":["UA"],"Authorization":["REDACTED"]}},"user_id":"bob","duration":0.25,"size":8,"status":201,"resp_headers":{"Location":["/x"]}}`,
    { durationMs: 250, startedAtMs: noon - 250, path: '/c?d', logUser: 'bob', userAgent: 'UA' },
  ],
  [
    'Caddy JSON of before 2.5',
    'json',
    `{"ts":${noon / 1000},"request":{"remote_addr":"[2001:db8::7]:4711","method":"GET","host":"c.example","uri":"/c"},"status":200}`,
    { remoteAddress: '2001:db8::7' },
  ],
  [
    'the fields of a Logstash pattern',
    'json',
    '{"@timestamp":"2024-01-31T12:00:00Z","clientip":"203.0.113.9","verb":"GET","request":"/l?x=1","response":"404","bytes":"9","agent":"UA"}',
    { method: 'GET', path: '/l?x=1', status: 404, responseBytes: 9, remoteAddress: '203.0.113.9' },
  ],
  [
    'a duration with all its digits',
    'json',
    '{"time":"2024-01-31T12:00:00Z","method":"GET","path":"/","status":200,"request_time":0.25000000000000006}',
    { durationMs: 0.25000000000000006 * 1000 },
  ],
  [
    'a message in an envelope',
    'json',
    '{"log":"203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] \\"GET /d HTTP/1.1\\" 200 1\\n","stream":"stdout","time":"2024-01-31T12:00:05Z"}',
    { path: '/d', startedAtMs: noon },
  ],
  [
    'Elastic Common Schema',
    'json',
    '{"@timestamp":"2024-01-31T12:00:00Z","source":{"ip":"203.0.113.9"},"http":{"request":{"method":"get"},"response":{"status_code":200,"body":{"bytes":3}}},"url":{"path":"/p","query":"q=1","domain":"x.example"},"user_agent":{"original":"UA"},"event":{"duration":2000000}}',
    { method: 'GET', path: '/p?q=1', authority: 'x.example', durationMs: 2, responseBytes: 3 },
  ],
];

it.each(cases)('reads %s', (_, format, line, expected) => {
  const { outcome, records } = collectRecords(createLineReader(format), line);
  expect(outcome).toBe('pass');
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject(expected);
});

it.each(cases)('tells by itself that it is %s', (_, _format, line, expected) => {
  expect(collectRecords(createAutoReader(), line).records[0]).toMatchObject(expected);
});

it('keeps blanked-out secrets from standing for somebody', () => {
  const caddy = cases.find(([name]) => name === 'Caddy JSON');
  const { records } = collectRecords(createLineReader('json'), caddy?.[2] ?? '');
  expect([...(records[0]?.requestHeaders.keys() ?? [])]).toEqual(['user-agent']);
  expect(records[0]?.responseHeaders.get('location')).toBe('/x');
});

it.each([
  ['unrecognised', 'hello world'],
  ['unrecognised', '2021/09/30 09:23:53 [error] 1#1: *17 open() failed, client: 127.0.0.1, request: "GET / HTTP/1.1"'],
  ['bad_time', '203.0.113.9 - - [31/Foo/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1'],
  ['truncated', '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET /cut'],
  ['bad_status', '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" abc 1'],
  ['bad_json', '{"time":"2024-01-31T12:00:00Z","status":20'],
  ['unrecognised', 'nothing that begins like {JSON'],
  ['no_time', '{"method":"GET","path":"/","status":200}'],
  ['bad_time', '{"method":"GET","path":"/","status":200,"time":"soon"}'],
  ['no_request', '{"time":"2024-01-31T12:00:00Z","status":200}'],
  ['bad_status', '{"method":"GET","path":"/","status":"ok","time":"2024-01-31T12:00:00Z"}'],
])('says %s', (reason, line) => {
  expect(collectRecords(createAutoReader(), line)).toMatchObject({ outcome: reason, records: [] });
});

it.each([
  ['0.1e99', 'is longer than any request'],
  ['-1', 'stands for a target that was not reached'],
])('a time of %s of a load balancer %s and is unknown', (time) => {
  const line = `https 2024-01-31T12:00:00.000000Z app/lb/1 203.0.113.9:2817 10.0.0.1:80 ${time} ${time} ${time} 200 200 3 57 "GET https://www.example.com:443/a HTTP/1.1" "curl/7" C T a "R"`;
  expect(collectRecords(createLineReader('aws-alb'), line).records[0]).toMatchObject({
    startedAtMs: noon,
    durationMs: Number.NaN,
  });
});

it('a negative duration of an OTLP record is unknown', () => {
  const attributes = [
    { key: 'http.request.method', value: { stringValue: 'GET' } },
    { key: 'url.path', value: { stringValue: '/v1/orders/1' } },
    { key: 'http.response.status_code', value: { intValue: '200' } },
    { key: 'duration', value: { doubleValue: -1.5 } },
  ];
  const logRecords = [{ timeUnixNano: `${noon}000000`, attributes }];
  const batch = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
  expect(collectRecords(createLineReader('json'), batch).records[0]).toMatchObject({
    startedAtMs: noon,
    durationMs: Number.NaN,
  });
});
