/** Which charts the page shows, and the same figures as text for the readout. */
import type { AnalyzeResult } from '../result.ts';
import { bytesText, countText, durationText, msText, plural, shareText, timeText } from '../units.ts';
import { type ChartLine, type ChartSpec, chart, valueText } from './chart.ts';
import { type Html, html } from './markup.ts';

/** What the page's script reads out, by chart. */
export type Readouts = Record<string, { at: string[]; lines: { name: string; text: (string | null)[] }[] }>;

export function chartSpecs(r: AnalyzeResult): ChartSpec[] {
  const s = r.series;
  if (s.at.length === 0) return [];
  const step = durationText(s.widthMs);
  const busiest = s.requests.reduce((best, v, i) => (v > (s.requests[best] ?? 0) ? i : best), 0);
  const ratios = (part: readonly number[]) =>
    part.map((v, i) => ((s.requests[i] ?? 0) > 0 ? v / (s.requests[i] ?? 1) : null));
  const marks = r.spikes
    .filter((x) => x.measure === 'requests')
    .map((x) => ({ first: bucketAt(s, x.since), last: bucketAt(s, x.until) }));
  const specs: ChartSpec[] = [
    {
      id: 'traffic',
      title: `Requests per ${step}`,
      summary:
        `${countText(r.requests)} requests; busiest ${step} from ${timeText(s.at[busiest] ?? '')} UTC with ` +
        `${countText(s.requests[busiest] ?? 0)}.${marks.length > 0 ? ` Shaded: ${plural(marks.length, 'spike')}.` : ''}`,
      at: s.at,
      format: 'count',
      marks,
      lines: [
        { name: 'requests', values: s.requests, style: 'main', shape: 'steps' },
        { name: 'answered with an error', values: s.errors, style: 'bad', shape: 'steps' },
      ],
    },
    {
      id: 'errors',
      title: 'Share of errors',
      summary: `${shareText(r.totals.errorRatio)} of all requests failed, ${shareText(r.totals.serverErrorRatio)} by the server's fault.`,
      at: s.at,
      format: 'share',
      lines: [
        { name: '400 and above', values: ratios(s.errors), style: 'main', shape: 'line' },
        { name: '500 and above', values: ratios(s.serverErrors), style: 'bad', shape: 'line' },
      ],
    },
  ];
  if (r.totals.p50Ms !== null) {
    specs.push({
      id: 'latency',
      title: 'Latency',
      summary: `Over all: p50 ${msText(r.totals.p50Ms)}, p95 ${msText(r.totals.p95Ms)}, p99 ${msText(r.totals.p99Ms)}.`,
      at: s.at,
      format: 'ms',
      lines: [
        { name: 'p50', values: s.p50Ms, style: 'main', shape: 'line' },
        { name: 'p95', values: s.p95Ms, style: 'second', shape: 'line' },
        { name: 'p99', values: s.p99Ms, style: 'third', shape: 'line' },
      ],
    });
  }
  const highest = s.risk.reduce((a, b) => Math.max(a, b), 0);
  specs.push({
    id: 'risk',
    title: 'Risk',
    summary:
      highest === 0
        ? 'Nobody was judged a risk at any time.'
        : `Highest score ${highest}; at most ${plural(Math.max(...s.atRisk), 'principal')} at Elevated or above at once.`,
    at: s.at,
    format: 'score',
    top: 100,
    lines: [{ name: 'highest score', values: s.risk, style: 'risk', shape: 'steps' }],
  });
  return specs;
}

export function forecastSpec(r: AnalyzeResult): ChartSpec | undefined {
  const f = r.forecast;
  if (!f.available) return undefined;
  const line = (name: string, values: number[], style: ChartLine['style']): ChartLine => ({
    name,
    values,
    style,
    shape: 'line',
  });
  const peak = f.points.reduce((a, b) => (b.requests > a.requests ? b : a));
  return {
    id: 'forecast-chart',
    title: `Requests per ${durationText(f.stepMs)}, next ${durationText(f.seasonMs)}`,
    summary:
      `Busiest from ${timeText(peak.at)} UTC: ${countText(peak.requests)} (${countText(peak.low)} to ${countText(peak.high)}). ` +
      `The same method was off by ${shareText(f.backtestError)} on the last season of the log.`,
    at: f.points.map((p) => p.at),
    format: 'count',
    lines: [
      line(
        'high',
        f.points.map((p) => p.high),
        'third',
      ),
      line(
        'expected',
        f.points.map((p) => p.requests),
        'main',
      ),
      line(
        'low',
        f.points.map((p) => p.low),
        'second',
      ),
    ],
  };
}

export function charts(specs: readonly ChartSpec[]): Html {
  return html`<div class="charts">${specs.map(chart)}</div>`;
}

export function readouts(specs: readonly ChartSpec[], r: AnalyzeResult): Readouts {
  return Object.fromEntries(
    specs.map((spec) => {
      const lines = spec.lines.map((l) => ({
        name: l.name,
        text: l.values.map((v) => (v === null ? null : exactText(v, spec.format))),
      }));
      if (spec.id === 'risk') lines.push({ name: 'at Elevated or above', text: r.series.atRisk.map(String) });
      if (spec.id === 'traffic' && r.totals.responseBytes !== null)
        lines.push({ name: 'sent', text: r.series.responseBytes.map((b) => bytesText(b)) });
      return [spec.id, { at: spec.at.map(timeText), lines }];
    }),
  );
}

/** The axis may say 12k; a readout says 12,345. */
function exactText(v: number, format: ChartSpec['format']): string {
  return format === 'count' ? countText(v) : valueText(v, format);
}

function bucketAt(series: AnalyzeResult['series'], at: string): number {
  const first = Date.parse(series.at[0] ?? at);
  const i = Math.floor((Date.parse(at) - first) / series.widthMs);
  return Math.max(0, Math.min(series.at.length - 1, i));
}
