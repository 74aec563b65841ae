/** The remaining parts of the page: operations, actions, spikes, forecast, and what was read. */
import { formatText, understoodText } from '../inputs-text.ts';
import { shortNumber } from '../reason.ts';
import type { AnalyzeResult } from '../result.ts';
import { bytesText, countText, msText, plural, rateFormat, shareText, spanText } from '../units.ts';
import { type ChartSpec, chart } from './chart.ts';
import { type Html, html } from './markup.ts';
import { type Cell, sortableTable } from './table.ts';

const maxOperations = 500;

export function figures(r: AnalyzeResult): Html {
  const t = r.totals;
  const entries: [string, string][] = [
    ['Requests', countText(r.requests)],
    ['Errors', shareText(t.errorRatio)],
    ['Server errors', shareText(t.serverErrorRatio)],
    ...(t.p50Ms === null
      ? []
      : ([
          ['p50', msText(t.p50Ms)],
          ['p99', msText(t.p99Ms)],
        ] as [string, string][])),
    ['Sent', bytesText(t.responseBytes)],
    ['Operations', countText(r.operations.length)],
    ...r.principalsSeen
      .filter((p) => p.kind === 'User' || p.kind === 'Session' || p.kind === 'Address')
      .map((p): [string, string] => [p.kind === 'Address' ? 'Addresses' : `${p.kind}s`, countText(p.count)]),
    ['Lines rejected', countText(r.rejectedCount)],
  ];
  return html`<dl class="figures">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function operations(r: AnalyzeResult): Html {
  if (r.operations.length === 0) return html``;
  const several = new Set(r.operations.map((o) => o.api)).size > 1;
  const number = (show: string, by: number | null): Cell => ({ show, by: by ?? -1 });
  const shown = r.operations.slice(0, maxOperations);
  const rate = rateFormat(shown[0]?.perSecond ?? 0);
  return html`<section id="operations" class="long" aria-labelledby="operations-h"><h2 id="operations-h">Operations</h2>
${sortableTable(
  shown.length < r.operations.length
    ? `The ${shown.length} most used of ${countText(r.operations.length)}; the JSON has them all`
    : plural(shown.length, 'operation'),
  [
    { title: 'Operation' },
    ...(several ? [{ title: 'API' }] : []),
    ...['Requests', 'Rate', 'Errors', 'Server errors', 'p50', 'p95', 'p99', 'Sent'].map((title) => ({
      title,
      numeric: true,
    })),
  ],
  shown.map((o): Cell[] => [
    { show: html`<code>${o.method} ${o.template}</code>`, by: `${o.template} ${o.method}` },
    ...(several ? [o.api] : []),
    number(countText(o.count), o.count),
    number(rate(o.perSecond), o.perSecond),
    number(shareText(o.errorRatio), o.errorRatio),
    number(shareText(o.serverErrorRatio), o.serverErrorRatio),
    number(msText(o.p50Ms), o.p50Ms),
    number(msText(o.p95Ms), o.p95Ms),
    number(msText(o.p99Ms), o.p99Ms),
    number(bytesText(o.responseBytes), o.responseBytes),
  ]),
)}</section>`;
}

export function actions(r: AnalyzeResult): Html {
  if (r.requests === 0) return html``;
  const rows = r.wouldAct.actions;
  const none = rows.every((a) => a.ordinaryPrincipals === 0);
  return html`<section id="actions" aria-labelledby="actions-h"><h2 id="actions-h">What would have happened</h2>
${
  rows.length === 0
    ? html`<p>Under ${r.wouldAct.policy}, no request would have been tagged, throttled or denied.</p>`
    : html`${sortableTable(
        `Had ${r.wouldAct.policy} been in force`,
        [
          { title: 'Action' },
          { title: 'Requests', numeric: true },
          { title: 'Principals', numeric: true },
          { title: 'Ordinary requests', numeric: true },
          { title: 'Ordinary principals', numeric: true },
        ],
        rows.map((a): Cell[] => [
          a.action,
          ...[a.requests, a.principals, a.ordinaryRequests, a.ordinaryPrincipals].map((n) => ({
            show: countText(n),
            by: n,
          })),
        ]),
      )}<p class="muted small">${none ? 'Nobody in good standing would have been hit.' : 'Ordinary: in good standing, hit all the same.'}</p>`
}</section>`;
}

export function spikes(r: AnalyzeResult): Html {
  if (r.spikes.length === 0) return html``;
  return html`<section id="spikes" aria-labelledby="spikes-h"><h2 id="spikes-h">Spikes</h2>
${sortableTable(
  'Stretches that neither the time of day nor the level around them explains',
  [
    { title: 'When (UTC)' },
    { title: 'API' },
    { title: 'What' },
    { title: 'Observed', numeric: true },
    { title: 'Expected', numeric: true },
    { title: 'Strength', numeric: true },
    { title: 'Mostly' },
  ],
  r.spikes.map((s): Cell[] => [
    { show: spanText(s.since, s.until), by: s.since },
    s.api,
    `${s.direction === 'up' ? 'More' : 'Fewer'} ${s.measure}`,
    { show: countText(s.observed), by: s.observed },
    { show: shortNumber(s.expected), by: s.expected },
    { show: s.strength.toFixed(1), by: s.strength },
    s.operation === null
      ? '–'
      : {
          show: html`<code>${s.operation.method} ${s.operation.template}</code> (${shareText(s.operation.share)})`,
          by: s.operation.template,
        },
  ]),
)}</section>`;
}

export function forecast(r: AnalyzeResult, spec: ChartSpec | undefined): Html {
  if (r.requests === 0) return html``;
  return html`<section id="forecast" aria-labelledby="forecast-h"><h2 id="forecast-h">Forecast</h2>
${spec === undefined ? html`<p>None: ${r.forecast.available ? '' : r.forecast.reason}.</p>` : chart(spec)}</section>`;
}

export function reading(r: AnalyzeResult): Html {
  return html`<section id="reading" class="long" aria-labelledby="reading-h"><h2 id="reading-h">What was read, and taken for what</h2>
${r.apis.map(
  (a) => html`<h3><code>${a.name}</code></h3>
<p class="small muted">${a.hosts.join(', ') || 'any host'} · ${plural(a.requests, 'request')} · ${a.source === 'manifests' ? 'stated by manifests' : 'inferred from the log'}</p>
${a.facts.length > 0 && html`<ul class="plain small">${a.facts.map((f) => html`<li>${f}</li>`)}</ul>`}`,
)}
${
  r.inputs.length > 0 &&
  sortableTable(
    plural(r.inputs.length, 'input'),
    [{ title: 'Input' }, { title: 'Format' }, { title: 'Lines', numeric: true }, { title: 'Size', numeric: true }],
    r.inputs.map((f): Cell[] => [
      { show: html`<code>${f.file}</code>`, by: f.file },
      formatText(f),
      { show: countText(f.lines), by: f.lines },
      { show: bytesText(f.bytes), by: f.bytes ?? -1 },
    ]),
  )
}
${
  r.rejectedCount === 0
    ? html`<p class="small">${understoodText(r.inputs)}</p>`
    : html`<p class="small">${plural(r.rejectedCount, 'line')} rejected: ${r.rejectedByReason.map((x, i) => `${i > 0 ? '; ' : ''}${countText(x.count)} × ${x.reason}`)}. First at ${r.rejected
        .slice(0, 5)
        .map((x) => `${x.file}:${x.line}`)
        .join(', ')}.</p>`
}
${r.notes.length > 0 && html`<ul class="plain small">${r.notes.map((n) => html`<li>${n}</li>`)}</ul>`}
</section>`;
}
