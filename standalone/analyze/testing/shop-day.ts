/** Traffic of a made-up shop for tests of the report: seeded, with hand-made verdicts where a test wants them. */
import type { Contribution, Finding, Verdict } from '@picket/analyzer/verdict.ts';
import { Action, Level, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { type AnalyzeCollector, createCollector, type SeenRequest } from '../collector.ts';
import { evidenceKey, type RunSummary } from '../gathered.ts';
import type { AnalyzeResult } from '../result.ts';

export const api = 'default/shop-example-com';
export const dayStartMs = Date.UTC(2026, 2, 2);
const hour = 3_600_000;

/** Park–Miller: enough for traffic that repeats. */
export function createRandom(seed: number): () => number {
  let state = seed % 2147483647 || 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

export function pseudonymFor(n: number): string {
  return ((n * 2654435761) >>> 0).toString(16).padStart(8, '0').repeat(2);
}

/** Pseudonym of the address that guesses passwords. */
export const attacker = pseudonymFor(66_600);

export function request(over: Partial<SeenRequest> = {}): SeenRequest {
  return {
    seq: 1,
    eventAtMs: dayStartMs,
    api,
    method: 'GET',
    template: '/products/{id}',
    status: 200,
    durationMs: 12,
    responseBytes: 4_200,
    failedFlow: false,
    signals: 0,
    principals: [evidenceKey(PrincipalKind.ADDRESS, pseudonymFor(1))],
    file: 'access.log',
    line: 1,
    text: 'GET /products/7 200',
    ...over,
  };
}

export function finding(over: Partial<Finding> = {}): Finding {
  return {
    detector: 'bruteForce',
    family: 'identity',
    api,
    kind: PrincipalKind.ADDRESS,
    pseudonym: attacker,
    since: dayStartMs + 9 * hour,
    until: dayStartMs + 9 * hour + 600_000,
    pValue: 3e-9,
    observed: 143,
    expected: 0.4,
    unit: 'failed logins on one account in 10 min',
    baseline: { n: 5_200, ageMs: 6 * hour, prior: false },
    sampleSeqs: [],
    tick: 0,
    partition: 0,
    seq: 0,
    ...over,
  };
}

export function verdict(over: Partial<Verdict> = {}): Verdict {
  const kind = over.kind ?? PrincipalKind.ADDRESS;
  const pseudonym = over.pseudonym ?? attacker;
  const contributions: Contribution[] = [
    { source: 'bruteForce', points: 61.5 },
    { source: 'probing', points: 20.5 },
    { source: 'corroboration', points: 10 },
  ];
  return {
    name: `shop-address-${pseudonym.slice(0, 8)}`,
    api,
    kind,
    pseudonym,
    score: 92,
    level: Level.CRITICAL,
    confidence: 0.81,
    firstSeen: dayStartMs + 9 * hour,
    lastSeen: dayStartMs + 9 * hour + 900_000,
    expiresAt: dayStartMs + 10 * hour,
    requests: 420,
    contributions,
    findings: [
      finding(),
      finding({
        detector: 'probing',
        family: 'content',
        observed: 38,
        expected: 1.2,
        pValue: 2e-6,
        unit: 'distinct paths that do not exist in 10 min',
        baseline: { n: 900, ageMs: hour, prior: true },
      }),
    ],
    requestIds: [],
    benignIf: 'the address belongs to your own load test',
    enforceable: { ok: true, reason: '', message: '' },
    decision: {
      id: 'd1',
      action: Action.DENY,
      mode: Mode.DRY_RUN,
      policy: 'default',
      policyRevision: 'r1',
      decidedAt: dayStartMs + 9 * hour + 300_000,
      expiresAt: dayStartMs + 9 * hour + 1_200_000,
      evidenceCompleteAt: dayStartMs + 9 * hour + 299_000,
    },
    policyRevision: 'r1',
    detectorVersion: '1',
    tick: 0,
    ...over,
  };
}

export function runSummary(over: Partial<RunSummary> = {}): RunSummary {
  const values = new Map([[attacker, '203.0.113.7']]);
  return {
    inputs: [{ file: 'access.log', format: 'combined', lines: 24_004, bytes: 4_812_000 }],
    apis: [
      {
        name: api,
        hosts: ['shop.example.com'],
        source: 'inferred',
        facts: [
          'Sessions are told apart by cookie sid.',
          'POST /login is a login; an answer of 200 with fewer than 900 bytes is a failure.',
          '6 operations from 5,812 paths.',
        ],
      },
    ],
    interrupted: false,
    policy: 'the default policy',
    principalValue: (_kind, pseudonym) => values.get(pseudonym),
    traitValue: (t) => (t.trait === 'network' ? '198.51.100.0/24' : 'python-requests/2.31'),
    ...over,
  };
}

const pages: [string, string, number, number][] = [
  ['GET', '/products/{id}', 0.45, 9],
  ['GET', '/', 0.2, 4],
  ['GET', '/search', 0.15, 38],
  ['POST', '/cart/items', 0.1, 16],
  ['GET', '/orders/{id}', 0.06, 14],
  ['POST', '/login', 0.04, 55],
];

/** Visitors with a daily rhythm; returns the next sequence number. */
export function feedVisitors(c: AnalyzeCollector, days: number, perDay: number, seed = 7): number {
  const random = createRandom(seed);
  let seq = 1;
  const times: number[] = [];
  for (let i = 0; i < days * perDay; i++) {
    const day = Math.floor(random() * days);
    // Two draws in three fall into the afternoon hill, the rest anywhere.
    const at = random() < 0.66 ? 14 + (random() + random() + random() - 1.5) * 6 : random() * 24;
    times.push(dayStartMs + day * 24 * hour + Math.max(0, Math.min(23.999, at)) * hour);
  }
  times.sort((a, b) => a - b);
  for (const eventAtMs of times) {
    let pick = random();
    const page = pages.find(([, , share]) => (pick -= share) < 0) ?? pages[0];
    const [method, template, , typical] = page ?? ['GET', '/', 1, 5];
    const who = Math.floor(random() ** 2 * 800) + 1;
    const status = random() < 0.02 ? 404 : random() < 0.002 ? 503 : 200;
    const path = template.replace('{id}', String(Math.floor(random() * 500)));
    c.onObservation(
      request({
        seq,
        eventAtMs,
        method,
        template,
        status,
        durationMs: typical * (0.6 + random() ** 4 * 8),
        responseBytes: 800 + random() * 9_000,
        principals: [evidenceKey(PrincipalKind.ADDRESS, pseudonymFor(who))],
        line: seq,
        text: `192.0.2.${who % 250} - - [02/Mar/2026:12:00:00 +0000] "${method} ${path} HTTP/1.1" ${status} 4200 "-" "Mozilla/5.0"`,
      }),
    );
    seq++;
  }
  return seq;
}

/** 420 login attempts in a quarter of an hour from one address, and the verdict on it. */
export function feedAttack(c: AnalyzeCollector, firstSeq: number): void {
  for (let i = 0; i < 420; i++) {
    const eventAtMs = dayStartMs + 9 * hour + i * 2_100;
    c.onObservation(
      request({
        seq: firstSeq + i,
        eventAtMs,
        method: 'POST',
        template: '/login',
        status: i % 7 === 0 ? 404 : 200,
        failedFlow: true,
        durationMs: 60,
        responseBytes: 700,
        principals: [evidenceKey(PrincipalKind.ADDRESS, attacker)],
        line: firstSeq + i,
        text: `203.0.113.7 - - [02/Mar/2026:09:0${Math.floor(i / 42)}:00 +0000] "POST /login HTTP/1.1" 200 700 "-" "python-requests/2.31"`,
        acted:
          i < 140
            ? undefined
            : {
                action: i < 200 ? 'Throttle' : 'Deny',
                subject: attacker,
                ...(i % 90 === 0 ? { ordinary: pseudonymFor(12) } : {}),
              },
      }),
    );
    if (i === 30) c.onVerdict(verdict({ score: 35, level: Level.ELEVATED, lastSeen: eventAtMs, requests: 31 }));
    if (i === 140) c.onVerdict(verdict({ score: 71, level: Level.HIGH, lastSeen: eventAtMs, requests: 141 }));
  }
  const sampleSeqs = [firstSeq + 3, firstSeq + 100, firstSeq + 419];
  c.onVerdict(verdict({ findings: verdict().findings.map((f) => ({ ...f, sampleSeqs })) }));
}

/** A campaign of many addresses, and a milder entry. */
export function feedOthers(c: AnalyzeCollector): void {
  c.onVerdict(
    spared(
      verdict({
        name: 'shop-campaign-aaaa0001',
        kind: PrincipalKind.CAMPAIGN,
        pseudonym: 'aaaa0001aaaa0001',
        score: 78,
        level: Level.HIGH,
        requests: 1_204,
        firstSeen: dayStartMs + 13 * hour,
        lastSeen: dayStartMs + 15 * hour,
        findings: [
          finding({
            detector: 'distributedStuffing',
            kind: PrincipalKind.CAMPAIGN,
            pseudonym: 'aaaa0001aaaa0001',
            since: dayStartMs + 13 * hour,
            until: dayStartMs + 15 * hour,
            observed: 1_188,
            expected: 21,
            pValue: 1e-14,
            unit: 'failed logins by the shared trait in 2 h',
          }),
        ],
        contributions: [{ source: 'distributedStuffing', points: 78 }],
        campaign: {
          traits: [
            { trait: 'network', value: '00ff' },
            { trait: 'userAgent', value: '00aa' },
          ],
          precision: 0.97,
          addresses: 412,
          accounts: 1_180,
        },
        benignIf: 'a partner imports accounts with this client',
        enforceable: {
          ok: false,
          reason: 'NoSafeMatchKey',
          message: 'no trait of it can be matched without hitting others',
        },
      }),
    ),
  );
  c.onVerdict(
    spared(
      verdict({
        name: 'shop-address-bbbb0002',
        pseudonym: 'bbbb0002bbbb0002',
        score: 18,
        level: Level.LOW,
        requests: 77,
        findings: [
          finding({
            detector: 'scraping',
            observed: 77,
            expected: 14,
            pValue: 0.0004,
            unit: 'distinct products in 1 h',
          }),
        ],
        contributions: [{ source: 'scraping', points: 18 }],
        benignIf: 'it is a search engine that you welcome',
      }),
    ),
  );
}

/** Without a decision: below the level that acts, or nothing to act by. */
function spared(v: Verdict): Verdict {
  const { decision: _, ...rest } = v;
  return rest;
}

/** Built once: a result is plain data that nobody changes. */
export function attackedShop(): AnalyzeResult {
  attacked ??= buildAttackedShop();
  return attacked;
}

let attacked: AnalyzeResult | undefined;

export function buildAttackedShop(): AnalyzeResult {
  const c = createCollector();
  feedAttack(c, feedVisitors(c, 1, 24_000));
  feedOthers(c);
  c.onRejected({ file: 'access.log', line: 77, reason: 'not in this format' });
  c.onRejected({ file: 'access.log', line: 912, reason: 'not in this format' });
  c.onRejected({ file: 'access.log', line: 1_200, reason: 'no time' });
  return c.build(runSummary());
}

export function quietShop(days = 1): AnalyzeResult {
  const c = createCollector();
  feedVisitors(c, days, 6_000, 11);
  return c.build(runSummary({ principalValue: () => undefined }));
}

/** What a hostile client can get into a log, in every place that takes text from one. */
export const hostileText =
  '"><script>alert(1)</script><img src=x onerror=alert(2)>\u001b[2J\u001b]0;owned\u0007\u202e`\'=HYPERLINK("http://x")\r\n\u0000';

export function hostileShop(): AnalyzeResult {
  const c = createCollector();
  const pseudonym = pseudonymFor(13);
  c.onObservation(
    request({
      method: `GET${hostileText}`,
      template: `/${hostileText}`,
      file: hostileText,
      text: hostileText,
      api: hostileText,
      principals: [evidenceKey(PrincipalKind.USER, pseudonym)],
    }),
  );
  c.onRejected({ file: hostileText, line: 2, reason: hostileText });
  c.onVerdict(
    verdict({
      kind: PrincipalKind.USER,
      pseudonym,
      api: hostileText,
      name: hostileText,
      benignIf: hostileText,
      findings: [finding({ unit: hostileText, sampleSeqs: [1] })],
      campaign: { traits: [{ trait: 'userAgent', value: '1' }], precision: 1, addresses: 1, accounts: 1 },
      enforceable: { ok: false, reason: '', message: hostileText },
    }),
  );
  return c.build(
    runSummary({
      principalValue: () => hostileText,
      traitValue: () => hostileText,
      policy: hostileText,
      notes: [hostileText],
      apis: [{ name: hostileText, hosts: [hostileText], source: 'inferred', facts: [hostileText] }],
      inputs: [{ file: hostileText, format: hostileText, lines: 1, bytes: 10 }],
    }),
  );
}
