/** Access logs of all formats: each unit has an outcome, each record is sound, and no cut of the bytes changes a unit. */
import { detectFormat, type LogFormat } from '@picket/analyzer/logs/detect-format.ts';
import { createAutoReader, createLineReader, lineFormats } from '@picket/analyzer/logs/formats.ts';
import { createFramer } from '@picket/analyzer/logs/framer.ts';
import { createHarEntryReader } from '@picket/analyzer/logs/formats/har.ts';
import {
  type Framing,
  type ReadOutcome,
  rejectReasons,
  type RecordSink,
  type UnitReader,
} from '@picket/analyzer/logs/log-format.ts';
import { type AccessRecord, createAccessRecord, Feed } from '@picket/analyzer/ingest/access-record.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

const outcomes = new Set<string>(['pass', 'skip', ...rejectReasons]);

const lines = [
  '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 12 "https://r.example/" "UA/1.0" rt=0.1 "x"',
  '203.0.113.9 - bob [31/Jan/2024:12:00:00 +0000] "GET /x HTTP/1.1" 404 -',
  '"203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] \\"GET /x HTTP/1.1\\" 200 1 \\"-\\" \\"UA\\""',
  '[2024-01-31T12:00:00.000Z] "POST /v1/x HTTP/2" 204 - 154 7 226 100 "203.0.113.9" "UA" "id-1" "api.example" "10.0.2.1:80"',
  'Jan 31 12:00:00 lb haproxy[1]: 203.0.113.9:33317 [31/Jan/2024:12:00:00.250] fe be/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {a|b} {} "GET / HTTP/1.1"',
  'https 2024-01-31T12:00:00.000000Z app/lb/1 203.0.113.9:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 3 57 "GET https://www.example.com:443/a?b HTTP/1.1" "curl/7" C T a "R"',
  '{"time":"2024-01-31T12:00:00Z","client":"203.0.113.9","method":"GET","uri":"/x","status":404,"urt": ,"headers":{"a":["b"]}}',
  '{"httpLogs":{"logEntry":[{"commonProperties":{"startTime":"2024-01-31T12:00:00Z"},"request":{"path":"/"}}]}}',
  '{"start_time":"2024-01-31T12:00:00.000Z","method":"GET","path":"/x","response_code":200,"duration":12,"x_forwarded_for":"203.0.113.9"}',
  '#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2024-01-31 12:00:00 203.0.113.9 GET / 200',
  '<Event><EventData><Data Name="date">2024-01-31</Data><Data Name="time">12:00:00</Data></EventData></Event>',
  '[31/Jan/2024:12:00:00 +0000] - 404 200 - GET https a.example "/v1?x" [Client 203.0.113.9] [Length 512] "UA" "-"',
];
const pieces = [
  '"',
  '\\',
  '\\"',
  '[',
  ']',
  ' ',
  '{',
  '}',
  ':',
  ',',
  '-',
  '\n',
  '\r\n',
  '\0',
  '\ufeff',
  '\t',
  '=',
  '#Fields: ',
  '1e999',
  '-1',
  'null',
  '\ud800',
  '99999999999999999999',
  '31/Feb/2024:25:61:61 +9999',
  '"__proto__":',
  '1970-01-01T00:00:00Z',
];

export function logsTarget(): FuzzTarget {
  const readers = [...lineFormats.map((name) => createLineReader(name)), createAutoReader()];
  return {
    seeds: [...lines.map((line) => Buffer.from(line)), Buffer.from(lines.join('\n'))],
    dictionary: pieces,
    check(input) {
      const text = input.toString('utf8');
      for (const reader of readers) checkOutcome(reader.read(text, soundSink()));
      checkFile(input);
    },
  };
}

const otlpBatch = {
  resourceLogs: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'envoy' } }] },
      scopeLogs: [
        {
          logRecords: [
            {
              timeUnixNano: '1790000000123000000',
              attributes: [
                { key: 'http.request.method', value: { stringValue: 'GET' } },
                { key: 'url.path', value: { stringValue: '/v1/orders/1' } },
                { key: 'http.response.status_code', value: { intValue: '200' } },
                { key: 'client.address', value: { stringValue: '203.0.113.9' } },
                { key: 'duration', value: { doubleValue: 1.5 } },
                { key: 'ok', value: { boolValue: true } },
                { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }] } } },
              ],
            },
            { observedTimeUnixNano: 1_790_000_000_123_000_000, attributes: [] },
          ],
        },
      ],
    },
  ],
};

export function otlpTarget(): FuzzTarget {
  const reader = createLineReader('json');
  return {
    seeds: [
      JSON.stringify(otlpBatch),
      JSON.stringify(otlpBatch, null, 1),
      JSON.stringify(otlpBatch).replaceAll('resourceLogs', 'resource_logs'),
    ].map((text) => Buffer.from(text)),
    dictionary: [
      ...pieces,
      '"resourceLogs":[',
      '"attributes":[',
      '{"key":"__proto__","value":{"stringValue":"x"}}',
      '{"key":"toString"}',
      '[]',
      '{}',
    ],
    check(input) {
      checkOutcome(reader.read(input.toString('utf8'), soundSink()));
      checkFile(input);
      must(({} as Record<string, unknown>).stringValue === undefined, 'every object has a member of the input');
    },
  };
}

const archive = {
  log: {
    version: '1.2',
    entries: [
      {
        startedDateTime: '2024-01-31T12:00:00.000Z',
        time: 12.5,
        request: {
          method: 'POST',
          url: 'https://shop.example/v1/login?x=1#f',
          headers: [
            { name: 'User-Agent', value: 'UA' },
            { name: 'X-Request-Id', value: 'r' },
          ],
          postData: { mimeType: 'application/json', text: '{"username":"ann"}', params: [{ name: 'a', value: 'b' }] },
          bodySize: 18,
        },
        response: { status: 200, headers: [], bodySize: -1, content: { size: 10, text: '{"ok":true}' } },
        timings: { wait: 8 },
      },
    ],
  },
};

export function harTarget(): FuzzTarget {
  const reader = createHarEntryReader();
  return {
    seeds: [JSON.stringify(archive), JSON.stringify(archive, null, 1), JSON.stringify(archive.log.entries[0])].map(
      (text) => Buffer.from(text),
    ),
    dictionary: [...pieces, '"entries":[', '"log":{', '"startedDateTime":"', '"request":{"url":"/"}', '[[[[', '}}}}'],
    check(input) {
      checkOutcome(reader.read(input.toString('utf8'), soundSink()));
      checkFraming(input, 'har-entries', () => createHarEntryReader());
    },
  };
}

/** As `picket analyze` reads a file: its format told by its beginning, units cut from chunks. */
function checkFile(input: Buffer): void {
  const format: LogFormat | undefined = detectFormat(input);
  if (format) checkFraming(input, format.framing, format.createReader);
}

function checkFraming(input: Buffer, framing: Framing, makeReader: () => UnitReader): void {
  const whole = unitsOf([input], framing, makeReader);
  const at = input.length === 0 ? 0 : (input.length * 7919) % input.length;
  const cut = unitsOf([input.subarray(0, at), input.subarray(at)], framing, makeReader);
  must(whole === cut, `cut at ${at} the bytes make other units`);
}

function unitsOf(chunks: Buffer[], framing: Framing, makeReader: () => UnitReader): string {
  const units: string[] = [];
  const reader = makeReader();
  const sink = soundSink();
  const framer = createFramer(framing, {
    unit: (text, line) => void units.push(`${line} ${reader.read(text, sink)} ${text.length}`),
    message: (bytes, ordinal) => void units.push(`${ordinal} ${reader.readMessage?.(bytes, sink)} ${bytes.length}`),
    reject: (reason, line) => void units.push(`${line} ${reason}`),
  });
  for (const chunk of chunks) framer.push(chunk);
  framer.end();
  return units.join('\n');
}

function checkOutcome(outcome: ReadOutcome): void {
  must(outcomes.has(outcome), `the outcome is ${outcome}`);
}

/** Looks at each record and keeps none. */
function soundSink(): RecordSink {
  const blank = createAccessRecord(Feed.replay, '');
  return {
    blank: () => blank,
    commit: () => checkRecord(blank),
    reject: (reason) => must(outcomes.has(reason), reason),
  };
}

function checkRecord(r: AccessRecord): void {
  must(Number.isFinite(r.startedAtMs), `startedAtMs is ${r.startedAtMs}`);
  must(r.status >= 0 && r.status <= 999, `status is ${r.status}`);
  must(Number.isNaN(r.durationMs) || (r.durationMs >= 0 && r.durationMs < 1e10), `durationMs is ${r.durationMs}`);
  for (const text of [r.method, r.path, r.authority, r.userAgent, r.referer, r.remoteAddress, r.logUser, r.requestId])
    must(typeof text === 'string', 'a field is no text');
  for (const path of ['login:request.username', 'login:response.ok', 'x'])
    must(
      ['undefined', 'string', 'number', 'boolean'].includes(typeof r.metadata('dev.picket.flow', path)),
      'metadata is no plain value',
    );
}
