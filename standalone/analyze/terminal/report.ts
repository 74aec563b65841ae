/** The report on a terminal: what a person needs to know first stands first, and all of it reads in a minute. */
import { formatText, understoodText } from '../inputs-text.ts';
import { shortNumber } from '../reason.ts';
import { type AnalyzeResult, levelNames, type VerdictSummary } from '../result.ts';
import { fit, visible, wrap } from '../text.ts';
import {
  bytesText,
  countText,
  durationText,
  msText,
  plural,
  rateFormat,
  shareText,
  spanText,
  timeText,
} from '../units.ts';
import { createPage, type Page } from './page.ts';
import { principalBlock } from './principal.ts';
import { sparkline, table } from './table.ts';

export interface TerminalOptions {
  columns: number;
  colour: boolean;
  /** Rows per list. */
  top: number;
  /** Value or start of a pseudonym: show this one in full. */
  principal?: string | undefined;
}

export function renderTerminal(result: AnalyzeResult, options: TerminalOptions): string {
  const page = createPage(options.columns, options.colour);
  const sections =
    options.principal === undefined
      ? [
          title(page, result),
          headline(page, result),
          principals(page, result, options.top),
          campaigns(page, result, options.top),
          wouldAct(page, result),
          operations(page, result, options.top),
          spikes(page, result, options.top),
          forecast(page, result),
          inferred(page, result, options.top),
          reading(page, result),
        ]
      : [title(page, result), onePrincipal(page, result, options.principal)];
  return `${sections
    .filter((s) => s.length > 0)
    .map((s) => s.join('\n'))
    .join('\n\n')}\n`;
}

function title(page: Page, r: AnalyzeResult): string[] {
  const span = r.from !== null && r.to !== null ? ` · ${spanText(r.from, r.to)} UTC` : '';
  const out = wrap(`Picket · ${plural(r.requests, 'request')}${span}`, page.columns).map(page.paint.bold);
  if (r.interrupted) out.push('Stopped before the end of the input: this is the report so far.');
  return out;
}

function headline(page: Page, r: AnalyzeResult): string[] {
  if (r.requests === 0) return ['No request could be read, so there is nothing to judge.'];
  const counts = levelNames.map((level) => ({ level, n: r.verdicts.filter((v) => v.level === level).length }));
  const serious = counts.filter((c) => c.n > 0 && c.level !== 'None' && c.level !== 'Low').reverse();
  const seen = r.principalsSeen.map((p) => plural(p.count, p.kind.toLowerCase(), pluralKind(p.kind))).join(', ');
  const looked = `Looked at ${plural(r.operations.length, 'operation')}${seen === '' ? '' : ` and ${seen}`}.`;
  const low = counts.find((c) => c.level === 'Low')?.n ?? 0;
  const lines =
    serious.length === 0
      ? [
          page.paint.good('Nothing here needs attention.'),
          ...wrap(
            `${looked} Password guessing, account lists, scraping, record walking, shared credentials, probing and ` +
              'excess were looked for in all of them.',
            page.columns,
          ),
        ]
      : [
          page.paint.bold(
            `Worth a look: ${serious.map((c) => page.paint.level(c.level, `${c.n} ${c.level}`)).join(', ')}`,
          ),
          ...wrap(looked, page.columns),
        ];
  if (low > 0) lines.push(`${plural(low, 'principal')} at Low: noted, nothing to act on.`);
  return lines;
}

function pluralKind(kind: string): string {
  const lower = kind.toLowerCase();
  return lower.endsWith('s') ? `${lower}es` : `${lower}s`;
}

function heading(page: Page, text: string, aside = ''): string {
  const room = page.columns - text.length - 2;
  return `${page.paint.bold(text)}${aside === '' ? '' : page.paint.dim(`  ${fit(aside, room)}`)}`;
}

function ofTop(shown: number, all: number): string {
  return shown < all ? `top ${shown} of ${countText(all)}` : '';
}

function principals(page: Page, r: AnalyzeResult, top: number): string[] {
  return verdictList(
    page,
    'Principals by risk',
    r.verdicts.filter((v) => v.principal.kind !== 'Campaign'),
    top,
  );
}

function campaigns(page: Page, r: AnalyzeResult, top: number): string[] {
  return verdictList(
    page,
    'Campaigns',
    r.verdicts.filter((v) => v.principal.kind === 'Campaign'),
    top,
  );
}

function verdictList(page: Page, name: string, all: VerdictSummary[], top: number): string[] {
  const shown = all.slice(0, top);
  if (shown.length === 0) return [];
  return [
    heading(page, name, ofTop(shown.length, all.length)),
    ...shown.flatMap((v, i) => [...(i > 0 ? [''] : []), ...principalBlock(page, v)]),
  ];
}

function onePrincipal(page: Page, r: AnalyzeResult, wanted: string): string[] {
  const found = r.verdicts.filter((v) => v.principal.value === wanted || v.principal.pseudonym.startsWith(wanted));
  if (found.length === 0)
    return wrap(`No verdict on ${visible(wanted)}: it never reached Low, or it is not in this log.`, page.columns);
  return found.flatMap((v, i) => [...(i > 0 ? [''] : []), ...principalBlock(page, v, true)]);
}

function wouldAct(page: Page, r: AnalyzeResult): string[] {
  if (r.requests === 0) return [];
  const policy = r.wouldAct.policy === '' ? '' : `under ${visible(r.wouldAct.policy)}`;
  const head = heading(page, 'What would have happened', policy);
  if (r.wouldAct.actions.length === 0) return [head, '  No request would have been tagged, throttled or denied.'];
  const rows = r.wouldAct.actions.map((a) => [
    a.action,
    countText(a.requests),
    countText(a.principals),
    countText(a.ordinaryRequests),
    countText(a.ordinaryPrincipals),
  ]);
  const ordinary = r.wouldAct.actions.reduce((n, a) => n + a.ordinaryPrincipals, 0);
  return [
    head,
    ...table(
      page.columns,
      [
        { title: 'action', stretch: true },
        { title: 'requests', align: 'right' },
        { title: 'principals', align: 'right' },
        { title: 'ordinary requests', align: 'right', optional: 1 },
        { title: 'ordinary principals', align: 'right' },
      ],
      rows,
      page.paint.dim,
    ),
    `  ${ordinary === 0 ? 'Nobody in good standing would have been hit.' : 'Ordinary: in good standing, hit all the same.'}`,
  ];
}

function operations(page: Page, r: AnalyzeResult, top: number): string[] {
  const shown = r.operations.slice(0, top);
  if (shown.length === 0) return [];
  const several = new Set(r.operations.map((o) => o.api)).size > 1;
  const timed = shown.some((o) => o.p50Ms !== null);
  const layout = [
    { title: 'operation', stretch: true },
    ...(several ? [{ title: 'api', optional: 3 }] : []),
    { title: 'requests', align: 'right' as const },
    { title: 'rate', align: 'right' as const, optional: 2 },
    { title: 'errors', align: 'right' as const },
    ...(timed
      ? [
          { title: 'p50', align: 'right' as const },
          { title: 'p99', align: 'right' as const },
        ]
      : []),
    { title: 'bytes', align: 'right' as const, optional: 1 },
  ];
  const rate = rateFormat(shown[0]?.perSecond ?? 0);
  const rows = shown.map((o) => [
    visible(`${o.method} ${o.template}`),
    ...(several ? [visible(o.api)] : []),
    countText(o.count),
    rate(o.perSecond),
    shareText(o.errorRatio),
    ...(timed ? [msText(o.p50Ms), msText(o.p99Ms)] : []),
    bytesText(o.responseBytes),
  ]);
  const t = r.totals;
  const latency =
    t.p50Ms === null
      ? 'no durations in the log'
      : `p50 ${msText(t.p50Ms)}, p95 ${msText(t.p95Ms)}, p99 ${msText(t.p99Ms)}`;
  return [
    heading(page, 'Operations', ofTop(shown.length, r.operations.length)),
    ...table(page.columns, layout, rows, page.paint.dim),
    ...wrap(
      `all: ${shareText(t.errorRatio)} errors, ${shareText(t.serverErrorRatio)} from the server, ${latency}, ${bytesText(t.responseBytes)}`,
      page.columns - 2,
    ).map((l) => page.paint.dim(`  ${l}`)),
    ...(r.series.requests.length > 1 ? [`  traffic ${sparkline(r.series.requests, page.columns - 12)}`] : []),
  ];
}

function spikes(page: Page, r: AnalyzeResult, top: number): string[] {
  if (r.spikes.length === 0) return [];
  const strongest = [...r.spikes].sort((a, b) => b.strength - a.strength).slice(0, top);
  return [
    heading(page, 'Spikes', ofTop(strongest.length, r.spikes.length)),
    ...strongest
      .sort((a, b) => (a.since < b.since ? -1 : 1))
      .flatMap((s) => {
        const what = s.operation === null ? '' : `, mostly ${visible(`${s.operation.method} ${s.operation.template}`)}`;
        const line =
          `${spanText(s.since, s.until)}  ${s.direction === 'up' ? '▲' : '▼'} ${countText(s.observed)} ${s.measure} ` +
          `where ${shortNumber(s.expected)} were due${what}`;
        return wrap(line, page.columns - 4).map((l, i) => `  ${i > 0 ? '  ' : ''}${l}`);
      }),
  ];
}

function forecast(page: Page, r: AnalyzeResult): string[] {
  if (r.requests === 0) return [];
  const f = r.forecast;
  if (!f.available) return [heading(page, 'Forecast', `none: ${visible(f.reason)}`)];
  const peak = f.points.reduce((a, b) => (b.requests > a.requests ? b : a));
  const total = f.points.reduce((sum, p) => sum + p.requests, 0);
  return [
    heading(page, 'Forecast', `next ${durationText(f.seasonMs)}, off by ${shareText(f.backtestError)} on the last one`),
    ...wrap(
      `${countText(total)} requests; busiest from ${timeText(peak.at)}: ${countText(peak.requests)} in ` +
        `${durationText(f.stepMs)} (${countText(peak.low)} – ${countText(peak.high)})`,
      page.columns - 2,
    ).map((l) => `  ${l}`),
    `  ${sparkline(
      f.points.map((p) => p.requests),
      page.columns - 4,
    )}`,
  ];
}

function inferred(page: Page, r: AnalyzeResult, top: number): string[] {
  if (r.apis.length === 0) return [];
  const shown = r.apis.slice(0, top);
  return [
    heading(page, 'What was taken for what', ofTop(shown.length, r.apis.length)),
    ...shown.flatMap((a) => [
      ...wrap(
        `${visible(a.name)} · ${visible(a.hosts.join(', ') || 'any host')} · ${plural(a.requests, 'request')} · ` +
          (a.source === 'manifests' ? 'stated by manifests' : 'inferred from the log'),
        page.columns - 4,
      ).map((l, i) => `  ${i > 0 ? '  ' : ''}${l}`),
      ...a.facts.flatMap((f) => wrap(visible(f), page.columns - 8).map((l, i) => `    ${i === 0 ? '· ' : '  '}${l}`)),
    ]),
  ];
}

function reading(page: Page, r: AnalyzeResult): string[] {
  const out = [heading(page, 'What was read')];
  for (const f of r.inputs.slice(0, 20)) {
    const size = f.bytes === null ? '' : ` · ${bytesText(f.bytes)}`;
    const about = ` · ${fit(visible(formatText(f)), 21)} · ${plural(f.lines, 'line')}${size}`;
    out.push(`  ${fit(visible(f.file), Math.max(12, page.columns - 2 - about.length))}${about}`);
  }
  if (r.inputs.length > 20) out.push(`  … and ${plural(r.inputs.length - 20, 'file')} more`);
  if (r.rejectedCount === 0) out.push(`  ${understoodText(r.inputs)}`);
  else {
    const share = shareText(r.rejectedCount / (r.rejectedCount + r.requests));
    out.push(`  ${plural(r.rejectedCount, 'line')} rejected (${share}):`);
    for (const reason of r.rejectedByReason.slice(0, 5)) {
      const first = r.rejected.find((x) => x.reason === reason.reason);
      const where = first === undefined ? '' : `, first ${first.file}:${first.line}`;
      out.push(
        ...wrap(visible(`${countText(reason.count)} × ${reason.reason}${where}`), page.columns - 6).map(
          (l) => `    ${l}`,
        ),
      );
    }
  }
  for (const note of r.notes) out.push(...wrap(visible(note), page.columns - 2).map((l) => `  ${l}`));
  return out;
}
