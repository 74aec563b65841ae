/**
 * `--html FILE`: one page that needs nothing else. Its policy forbids every connection and every script and style but
 * its own two, so that a hostile log line could not do anything even if it got through the escaping.
 */
import { createHash } from 'node:crypto';
import { type AnalyzeResult, levelNames } from '../result.ts';
import { plural, spanText } from '../units.ts';
import { charts, chartSpecs, forecastSpec, readouts } from './charts-section.ts';
import { type Html, html, jsonBlock, trusted } from './markup.ts';
import { badge, principalSections } from './principals.ts';
import { script } from './script.ts';
import { actions, figures, forecast, operations, reading, spikes } from './sections.ts';
import { style } from './style.ts';

const digest = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const policy = `default-src 'none'; style-src ${digest(style)}; script-src ${digest(script)}; base-uri 'none'; form-action 'none'`;

export function renderHtml(r: AnalyzeResult): string {
  const specs = chartSpecs(r);
  const ahead = forecastSpec(r);
  const all = ahead === undefined ? specs : [...specs, ahead];
  // A log that names no host is called by its file.
  const hosts = r.apis.map((a) => a.hosts[0] ?? a.name).filter((host) => host !== '*');
  const subjects = hosts.length > 0 ? hosts : r.inputs.map((i) => i.file);
  const names = subjects.slice(0, 2);
  const title = `Picket report${names.length > 0 ? `: ${names.join(', ')}${subjects.length > 2 ? ' …' : ''}` : ''}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<header class="top"><div class="wrap">
<div class="row"><div><h1>${title}</h1>
<p class="muted small">${r.from === null || r.to === null ? 'No requests' : `${plural(r.requests, 'request')}, ${spanText(r.from, r.to)} UTC`}${r.interrupted ? ' · stopped before the end of the input' : ''}${r.pseudonymised ? ' · values hidden' : ''}</p>
${headline(r)}</div>
<button type="button" id="theme" hidden>Dark</button></div>
<nav aria-label="Parts of the report">${navigation(r)}</nav>
</div></header>
<main class="wrap" id="main">
${figures(r)}
<section class="bare" id="overview" aria-label="Over time">${charts(specs)}</section>
${principalSections(r)}
${actions(r)}
${operations(r)}
${spikes(r)}
${forecast(r, ahead)}
${reading(r)}
</main>
<footer class="wrap">Times are UTC. A score is 0–100 at its highest; a level alone blocks nobody. Made by <code>picket analyze</code>; nothing was stored or sent.</footer>
<script type="application/json" id="series">${jsonBlock({ charts: readouts(all, r) })}</script>
<script>${trusted(script)}</script>
</body>
</html>
`;
  return page.markup;
}

function headline(r: AnalyzeResult): Html {
  const serious = [...levelNames]
    .reverse()
    .filter((level) => level !== 'None' && level !== 'Low')
    .map((level) => ({ level, n: r.verdicts.filter((v) => v.level === level).length }))
    .filter((c) => c.n > 0);
  if (r.requests === 0) return html`<p class="verdict">No request could be read, so there is nothing to judge.</p>`;
  if (serious.length === 0)
    return html`<p class="verdict"><span class="calm">Nothing here needs attention.</span> <span class="muted">${plural(r.operations.length, 'operation')} looked at; guessing, stuffing, scraping, record walking, shared credentials, probing and excess were looked for in all of them.</span></p>`;
  return html`<p class="verdict">Worth a look: ${serious.map((c) => badge(c.level, c.n))}</p>`;
}

function navigation(r: AnalyzeResult): Html {
  const campaigns = r.verdicts.some((v) => v.principal.kind === 'Campaign');
  const principals = r.verdicts.some((v) => v.principal.kind !== 'Campaign');
  const parts: [string, string, boolean][] = [
    ['overview', 'Over time', r.requests > 0],
    ['principals', 'Principals', principals],
    ['campaigns', 'Campaigns', campaigns],
    ['actions', 'What would have happened', r.requests > 0],
    ['operations', 'Operations', r.operations.length > 0],
    ['spikes', 'Spikes', r.spikes.length > 0],
    ['forecast', 'Forecast', r.requests > 0],
    ['reading', 'What was read', true],
  ];
  return html`${parts.filter(([, , shown]) => shown).map(([id, name]) => html`<a href="#${id}">${name}</a>`)}`;
}
