import fc from 'fast-check';
import { expect, it } from 'vitest';
import { collectRecords } from './collect-records.ts';
import { detectFormat } from './detect-format.ts';
import { createAutoReader, createLineReader, lineFormats } from './formats.ts';
import { createHarEntryReader } from './formats/har.ts';
import { createFramer } from './framer.ts';
import type { Framing } from './log-format.ts';
import { rejectReasons } from './log-format.ts';

const seeds = [
  '203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 12 "https://r.example/" "UA/1.0" rt=0.1 "x"',
  '"203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] \\"GET /x HTTP/1.1\\" 200 1 \\"-\\" \\"UA\\""',
  '[2024-01-31T12:00:00.000Z] "POST /v1/x HTTP/2" 204 - 154 7 226 100 "203.0.113.9" "UA" "id-1" "api.example" "10.0.2.1:80"',
  'Jan 31 12:00:00 lb haproxy[1]: 203.0.113.9:33317 [31/Jan/2024:12:00:00.250] fe be/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {a|b} {} "GET / HTTP/1.1"',
  'https 2024-01-31T12:00:00.000000Z app/lb/1 203.0.113.9:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 3 57 "GET https://www.example.com:443/a?b HTTP/1.1" "curl/7" C T a "R"',
  '{"time":"2024-01-31T12:00:00Z","client":"203.0.113.9","method":"GET","uri":"/x","status":404,"urt": ,"headers":{"a":["b"]}}',
  '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","attributes":[{"key":"a","value":{"stringValue":"b"}}]}]}]}]}',
  '{"httpLogs":{"logEntry":[{"commonProperties":{"startTime":"2024-01-31T12:00:00Z"},"request":{"path":"/"}}]}}',
  '#Fields: date time c-ip cs-method cs-uri-stem sc-status',
  '2024-01-31 12:00:00 203.0.113.9 GET / 200',
  '<Event><EventData><Data Name="date">2024-01-31</Data><Data Name="time">12:00:00</Data></EventData></Event>',
  '[31/Jan/2024:12:00:00 +0000] - 404 200 - GET https a.example "/v1?x" [Client 203.0.113.9] [Length 512] "UA" "-"',
];

/** Lines that were once good: cut, doubled, with pieces of others and odd characters put in. */
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.nat({ max: 12 }),
        fc.oneof(
          fc.constantFrom('"', '\\', '[', ']', ' ', '{', '}', ':', '-', '\u0000', '\uFFFD', '\t', ...seeds),
          fc.string({ maxLength: 8 }),
        ),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([seed, edits]) =>
    edits.reduce((line, [at, remove, insert]) => {
      const i = at % (line.length + 1);
      return line.slice(0, i) + insert + line.slice(i + remove);
    }, seed),
  );

const known: readonly string[] = ['pass', 'skip', ...rejectReasons];

it.each(lineFormats)('%s: whatever the line, there is an outcome and each record is sound', (format) => {
  const reader = createLineReader(format);
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string({ maxLength: 300 }), fc.json()), (line) => {
      const { outcome, records } = collectRecords(reader, line);
      expect(known).toContain(outcome);
      for (const r of records) {
        expect(Number.isFinite(r.startedAtMs)).toBe(true);
        expect(r.status).toBeGreaterThanOrEqual(0);
        expect(r.status).toBeLessThanOrEqual(999);
        expect(r.durationMs < 0).toBe(false);
        for (const field of [r.method, r.path, r.authority, r.userAgent, r.referer, r.remoteAddress, r.logUser]) {
          expect(typeof field).toBe('string');
        }
      }
    }),
    { numRuns: 2000 },
  );
});

it('an archive entry may be any JSON', () => {
  const reader = createHarEntryReader();
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc
          .record({
            startedDateTime: fc.oneof(fc.constant('2024-01-31T12:00:00Z'), fc.anything()),
            time: fc.anything(),
            request: fc.oneof(
              fc.anything(),
              fc.record({ url: fc.string(), method: fc.anything(), headers: fc.anything(), postData: fc.anything() }),
            ),
            response: fc.anything(),
          })
          .map((entry) => {
            try {
              return (
                JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? ''
              );
            } catch {
              return '';
            }
          }),
      ),
      (text) => {
        expect(known).toContain(collectRecords(reader, text).outcome);
      },
    ),
  );
});

const token = fc.stringMatching(/^[A-Za-z0-9._~-]{1,12}$/);
const address = fc.oneof(fc.ipV4(), fc.ipV6());

it('what a server writes as a combined line comes back', () => {
  const reader = createAutoReader();
  const quoted = (s: string) => s.replace(/[\\"]/g, (c) => `\\${c}`);
  fc.assert(
    fc.property(
      address,
      fc.constantFrom('GET', 'POST', 'PROPFIND'),
      fc.array(token),
      fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
      fc.integer({ min: 100, max: 599 }),
      fc.nat({ max: 1e9 }),
      fc.integer({ min: 1, max: 4_000_000_000 }),
      (ip, method, segments, agent, status, bytes, unix) => {
        fc.pre(agent !== '-' && !ip.toLowerCase().startsWith('::ffff:'));
        const path = `/${segments.join('/')}`;
        const [, day, month, year, time] =
          /^\w+, (\d\d) (\w+) (\d+) ([\d:]+)/.exec(new Date(unix * 1000).toUTCString()) ?? [];
        const line = `${ip} - - [${day}/${month}/${year}:${time} +0000] "${method} ${path} HTTP/1.1" ${status} ${bytes} "-" "${quoted(agent)}"`;
        expect(collectRecords(reader, line).records[0]).toMatchObject({
          remoteAddress: ip,
          method,
          path,
          userAgent: agent,
          status,
          responseBytes: bytes,
          startedAtMs: unix * 1000,
          referer: '',
        });
      },
    ),
    { numRuns: 1000 },
  );
});

it('what a server writes as JSON comes back', () => {
  const reader = createAutoReader();
  fc.assert(
    fc.property(
      address,
      token,
      fc.string({ minLength: 1 }),
      fc.integer({ min: 100, max: 599 }),
      fc.nat({ max: 1e6 }),
      (ip, path, agent, status, ms) => {
        fc.pre(agent !== '-' && !ip.toLowerCase().startsWith('::ffff:'));
        const line = JSON.stringify({
          time_iso8601: '2024-01-31T12:00:00+00:00',
          remote_addr: ip,
          request_method: 'GET',
          request_uri: `/${path}`,
          status,
          http_user_agent: agent,
          request_time: (ms / 1000).toFixed(3),
        });
        const [r] = collectRecords(reader, line).records;
        expect(r).toMatchObject({ remoteAddress: ip, path: `/${path}`, userAgent: agent, status });
        expect((r?.startedAtMs ?? 0) + (r?.durationMs ?? 0)).toBeCloseTo(Date.UTC(2024, 0, 31, 12), 3);
        expect(r?.durationMs).toBeCloseTo(ms, 3);
      },
    ),
  );
});

it.each(['lines', 'json-objects', 'har-entries', 'delimited'] as const)(
  '%s: units do not depend on how the bytes arrive',
  (framing: Framing) => {
    function unitsOf(chunks: Buffer[]): string[] {
      const units: string[] = [];
      const framer = createFramer(framing, {
        unit: (text, line) => void units.push(`${line} ${text}`),
        message: (bytes, ordinal) => void units.push(`${ordinal} ${bytes.toString('hex')}`),
        reject: (reason, line) => void units.push(`${line} ${reason}`),
      });
      for (const chunk of chunks) framer.push(chunk);
      framer.end();
      return units;
    }
    const text = fc.array(
      fc.oneof(
        fc.constantFrom(
          '\n',
          '\r\n',
          '{',
          '}',
          '[',
          ']',
          '"',
          '\\',
          '{"log":{"entries":[{"a":{"b":"}"}},{}]}}',
          '{"a":1}\n',
          '\u0003abc',
          'é',
        ),
        fc.string({ maxLength: 5 }),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 20 })), (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        if (at < bytes.length) chunks.push(bytes.subarray(at));
        expect(unitsOf(chunks)).toEqual(unitsOf([bytes]));
      }),
      { numRuns: 500 },
    );
  },
);

it('any bytes can be asked for their format', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }).map((a) => Buffer.from(a)),
        mutated.map((s) => Buffer.from(s)),
      ),
      (sample) => {
        const format = detectFormat(sample);
        if (format) expect(format.createReader()).toHaveProperty('read');
      },
    ),
  );
});

/** Work per character must not grow with the length: a line built to make a parser backtrack costs what it weighs. */
it.each(
  seeds.flatMap((seed) =>
    ['"', '\\', '[', ' ', '{', ':', '-', '\\"', '""', ', ', '<', '='].map((piece) => [piece, seed] as const),
  ),
)(
  '%s, a hundred thousand times into %s, ends',
  (piece, seed) => {
    const line = seed.slice(0, 60) + piece.repeat(100_000) + seed.slice(60);
    expect(known).toContain(collectRecords(createAutoReader(), line).outcome);
  },
  5000,
);
