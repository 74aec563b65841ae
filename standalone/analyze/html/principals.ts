/** Principals and campaigns: a table to scan, then one part each with reasons, timeline and evidence. */
import { chanceWords, detectorTitles } from '../reason.ts';
import { type AnalyzeResult, levelRank, type LevelName, type VerdictSummary } from '../result.ts';
import { countText, plural, shareText, spanText, timeText } from '../units.ts';
import { type Html, html } from './markup.ts';
import { type Cell, sortableTable } from './table.ts';
import { timeline } from './timeline.ts';

/** Parts that stand open at once; the rest open by keyboard or click, and all of them in print. */
const openParts = 3;
/** A page of more would not load well; the JSON has them all. */
export const maxParts = 300;

export function badge(level: LevelName, score?: number): Html {
  return html`<span class="badge ${level.toLowerCase()}">${score === undefined ? '' : `${score} `}${level}</span>`;
}

export function nameOf(v: VerdictSummary): string {
  if (v.principal.value !== null) return v.principal.value;
  if (v.campaign !== null) return v.campaign.traits.map((t) => `${t.trait} ${t.value}`).join(' + ');
  return v.principal.pseudonym;
}

export function principalSections(r: AnalyzeResult): Html {
  const shown = r.verdicts.slice(0, maxParts);
  const ids = new Map(shown.map((v, i) => [v, `p${i + 1}`]));
  const people = shown.filter((v) => v.principal.kind !== 'Campaign');
  const campaigns = shown.filter((v) => v.principal.kind === 'Campaign');
  const left = r.verdicts.length - shown.length;
  return html`${section('principals', 'Principals by risk', people, ids, left)}${section('campaigns', 'Campaigns', campaigns, ids, 0)}`;
}

function section(
  id: string,
  title: string,
  all: VerdictSummary[],
  ids: Map<VerdictSummary, string>,
  left: number,
): Html {
  if (all.length === 0) return html``;
  const rows = all.map((v): Cell[] => [
    { show: html`<a href="#${ids.get(v)}"><code>${nameOf(v)}</code></a>`, by: nameOf(v) },
    v.principal.kind,
    { show: badge(v.level, v.score), by: v.score + levelRank(v.level) / 10 },
    { show: countText(v.requests), by: v.requests },
    v.findings.map((f) => detectorTitles[f.detector]).join('; '),
    { show: v.decision?.action ?? '–', by: v.decision?.action ?? '' },
    { show: timeText(v.lastSeen), by: v.lastSeen },
  ]);
  return html`<section id="${id}" class="long" aria-labelledby="${id}-h"><h2 id="${id}-h">${title}</h2>
${sortableTable(
  `${plural(all.length, 'entry', 'entries')} at Low or above${left > 0 ? `, ${plural(left, 'further one')} only in the JSON` : ''}`,
  [
    { title: id === 'campaigns' ? 'Campaign' : 'Principal' },
    { title: 'Kind' },
    { title: 'Score', numeric: true },
    { title: 'Requests', numeric: true },
    { title: 'Why' },
    { title: 'Would' },
    { title: 'Last seen (UTC)' },
  ],
  rows,
)}
${all.map((v, i) => part(v, ids.get(v) ?? '', i < openParts))}</section>`;
}

function part(v: VerdictSummary, id: string, open: boolean): Html {
  return html`<details class="who" id="${id}"${open ? html` open` : ''}>
<summary>${badge(v.level, v.score)}<span class="name">${v.principal.kind} <code>${nameOf(v)}</code></span><span class="muted small">${plural(v.requests, 'request')} on ${v.api}, ${spanText(v.firstSeen, v.lastSeen)} UTC</span></summary>
<div class="body">
${
  v.campaign !== null &&
  html`<p>${v.campaign.traits.length > 0 && html`Shared by all of it: ${v.campaign.traits.map((t, i) => html`${i > 0 ? ' and ' : ''}${t.trait} <code>${t.value}</code>`)}. `}${shareText(v.campaign.precision)} of the requests with it belong to the attack; ${plural(v.campaign.addresses, 'address', 'addresses')}${v.campaign.accounts > 0 ? `, ${plural(v.campaign.accounts, 'account')}` : ''}.</p>`
}
<ul class="reasons">${v.findings.map(
    (f) =>
      html`<li>${f.words}.<span class="muted">${spanText(f.since, f.until)} · chance ${chanceWords(f.pValue)} · ${shareText(f.share)} of the score · ${[...f.owasp, ...f.oat].join(', ')}</span></li>`,
  )}</ul>
${timeline(v, id)}
${
  v.samples.length > 0 &&
  html`<h3>Sample lines</h3><ol class="lines mono">${v.samples.map((s) => html`<li><span class="muted">${s.file}:${s.line}</span> ${s.text}</li>`)}</ol>`
}
<p class="small">${v.levelChanges.length > 0 && html`Level: ${v.levelChanges.map((c, i) => html`${i > 0 ? ' → ' : ''}${c.level} at ${timeText(c.at)}`)}; ${v.scoreAtEnd} (${v.levelAtEnd}) at the end. `}Score: ${v.contributions.map((c) => `${c.source} ${c.points >= 0 ? '+' : ''}${c.points.toFixed(1)}`).join(', ')}. Confidence ${shareText(v.confidence)}.</p>
${v.decision !== null && html`<p class="small">Would have met: <strong>${v.decision.action}</strong> from ${spanText(v.decision.at, v.decision.until)} UTC.</p>`}
${v.notEnforceable !== null && html`<p class="small">Cannot be acted on: ${v.notEnforceable}</p>`}
${v.benignIf !== '' && html`<p class="muted small">Harmless if ${v.benignIf.replace(/^harmless if /i, '')}</p>`}
</div></details>`;
}
