import { expect, it } from 'vitest';
import { collectRecords } from './collect-records.ts';
import { createLineReader } from './formats.ts';
import { createRegexReader } from './formats/custom-regex.ts';
import { createHarEntryReader } from './formats/har.ts';

const noon = Date.UTC(2024, 0, 31, 12, 0, 0);

it('reads W3C columns by their directive, IIS in milliseconds', () => {
  const reader = createLineReader('w3c');
  const fields =
    '#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-bytes time-taken';
  expect(collectRecords(reader, '2024-01-31 12:00:00 10.0.0.1 GET /a - - 203.0.113.9 UA - 200 1 1').outcome).toBe(
    'no_fields_directive',
  );
  expect(collectRecords(reader, fields).outcome).toBe('skip');
  const line = '2024-01-31 12:00:00 10.0.0.1 GET /a q=1 DOM\\bob 203.0.113.9 Mozilla/5.0+(X11) - 404 77 31';
  expect(collectRecords(reader, line).records[0]).toMatchObject({
    path: '/a?q=1',
    logUser: 'DOM\\bob',
    remoteAddress: '203.0.113.9',
    userAgent: 'Mozilla/5.0 (X11)',
    referer: '',
    status: 404,
    responseBytes: 77,
    durationMs: 31,
    startedAtMs: noon - 31,
  });
});

it('reads W3C lines that tell only the time, by the date above them', () => {
  const reader = createLineReader('w3c');
  for (const directive of ['#Date: 2024-01-31 11:00:00', '#Fields: time c-ip cs-method cs-uri-stem sc-status'])
    expect(collectRecords(reader, directive).outcome).toBe('skip');
  expect(collectRecords(reader, '12:00:00 203.0.113.9 GET /a 200').records[0]).toMatchObject({
    startedAtMs: noon,
    path: '/a',
  });
});

it('reads OTLP logs with old and new attribute names', () => {
  const attribute = (key: string, value: object) => ({ key, value });
  const unit = JSON.stringify({
    resourceLogs: [
      {
        scopeLogs: [
          {
            logRecords: [
              {
                timeUnixNano: `${noon}000000`,
                attributes: [
                  attribute('http.request.method', { stringValue: 'GET' }),
                  attribute('url.path', { stringValue: '/o' }),
                  attribute('http.response.status_code', { intValue: '200' }),
                  attribute('client.address', { stringValue: '203.0.113.9' }),
                  attribute('http.server.request.duration', { doubleValue: 0.5 }),
                  attribute('server.address', { stringValue: 'o.example' }),
                ],
              },
              {
                timeUnixNano: `${noon}000000`,
                attributes: [
                  attribute('http.method', { stringValue: 'PUT' }),
                  attribute('http.target', { stringValue: '/old?x=1' }),
                  attribute('http.status_code', { intValue: '500' }),
                  attribute('http.host', { stringValue: 'old.example' }),
                  attribute('http.client_ip', { stringValue: '203.0.113.8' }),
                  attribute('http.user_agent', { stringValue: 'UA' }),
                  attribute('http.response_content_length', { intValue: '7' }),
                ],
              },
              { timeUnixNano: `${noon}000000`, body: { stringValue: 'started' } },
            ],
          },
        ],
      },
    ],
  });
  const { records, rejected } = collectRecords(createLineReader('json'), unit);
  expect(records).toMatchObject([
    {
      method: 'GET',
      path: '/o',
      status: 200,
      startedAtMs: noon,
      durationMs: 500,
      authority: 'o.example',
      remoteAddress: '203.0.113.9',
    },
    {
      method: 'PUT',
      path: '/old?x=1',
      status: 500,
      authority: 'old.example',
      remoteAddress: '203.0.113.8',
      userAgent: 'UA',
      responseBytes: 7,
    },
  ]);
  expect(rejected).toEqual(['not_http']);
});

it('reads what a named regular expression finds', () => {
  const reader = createRegexReader(
    String.raw`^(?<time>\S+) (?<address>\S+) (?<method>\S+) (?<path>\S+) (?<status>\d+) (?<duration>\S+)$`,
  );
  expect(collectRecords(reader, '2024-01-31T12:00:00Z 203.0.113.9 get /r 200 0.5s').records[0]).toMatchObject({
    method: 'GET',
    path: '/r',
    durationMs: 500,
    startedAtMs: noon - 500,
  });
  expect(collectRecords(reader, 'x'.repeat(9000)).outcome).toBe('too_long');
  expect(() => createRegexReader('(?<time>x)')).toThrow(/needs time/);
  expect(() => createRegexReader('(?<time>x')).toThrow(/no regular expression/);
  expect(() => createRegexReader('(?<tme>x)')).toThrow(/unknown group tme/);
});

it('an archive entry with a status that is none is rejected', () => {
  const text = '{"startedDateTime":"2024-01-31T12:00:00Z","request":{"url":"/"},"response":{"status":1e999}}';
  expect(collectRecords(createHarEntryReader(), text).outcome).toBe('bad_status');
});
