/** One principal over time: requests above, level below, and the span of each finding. */
import { type VerdictSummary } from '../result.ts';
import { spanText, timeText } from '../units.ts';
import { type Html, html } from './markup.ts';

const wide = 1000;

export function timeline(v: VerdictSummary, id: string): Html {
  const times = [
    ...v.timeline.points.map((p) => Date.parse(p.at)),
    ...v.findings.flatMap((f) => [Date.parse(f.since), Date.parse(f.until)]),
    ...v.levelChanges.map((c) => Date.parse(c.at)),
    Date.parse(v.firstSeen),
    Date.parse(v.lastSeen),
  ];
  const from = times.reduce((a, b) => Math.min(a, b));
  const to = Math.max(
    from + 1000,
    ...v.timeline.points.map((p) => Date.parse(p.at) + v.timeline.widthMs),
    times.reduce((a, b) => Math.max(a, b)),
  );
  const x = (ms: number) => Math.round(((ms - from) / (to - from)) * wide * 10) / 10;
  // A campaign's own requests are not charted: it has no single principal.
  const flat = v.timeline.points.length === 0;
  const summary = `${v.timeline.points.reduce((n, p) => n + p.requests, 0)} requests charted, ${spanText(v.firstSeen, v.lastSeen)} UTC. ${v.levelChanges
    .map((c) => `${c.level} from ${timeText(c.at)}`)
    .join(', ')}.`;
  return html`<figure class="timeline">
<svg viewBox="${flat ? `0 44 ${wide} 30` : `0 0 ${wide} 74`}"${flat ? html` class="flat"` : ''} preserveAspectRatio="none" role="img" aria-labelledby="${id}-tl">
<title id="${id}-tl">Timeline. ${summary}</title>
${bars(v, x)}
${v.findings.slice(0, 4).map((f, i) => {
  const left = x(Date.parse(f.since));
  return html`<rect class="span" x="${left}" y="${46 + i * 4}" width="${Math.max(4, x(Date.parse(f.until)) - left)}" height="2.5"/>`;
})}
${levels(v, x)}
</svg>
<p class="ends" aria-hidden="true"><span>${timeText(new Date(from).toISOString())}</span><span class="muted">${flat ? '' : 'requests, failed ones in red · '}findings · level</span><span>${timeText(new Date(to).toISOString())}</span></p>
</figure>`;
}

function bars(v: VerdictSummary, x: (ms: number) => number): Html {
  const top = v.timeline.points.reduce((a, p) => Math.max(a, p.requests), 1);
  const bar = (at: number, n: number, style: string) => {
    const height = Math.max(1, Math.round((n / top) * 400) / 10);
    const left = x(at);
    const width = Math.max(2.5, Math.round((x(at + v.timeline.widthMs) - left - 0.5) * 10) / 10);
    return html`<rect class="${style}" x="${left}" y="${42 - height}" width="${width}" height="${height}"/>`;
  };
  return html`${v.timeline.points.map((p) => [
    bar(Date.parse(p.at), p.requests, 'main'),
    p.errors > 0 && bar(Date.parse(p.at), p.errors, 'bad'),
  ])}`;
}

function levels(v: VerdictSummary, x: (ms: number) => number): Html {
  return html`${v.levelChanges.map((c, i) => {
    const left = x(Date.parse(c.at));
    const next = v.levelChanges[i + 1];
    const right = next === undefined ? Math.max(left + 4, x(Date.parse(v.lastSeen))) : x(Date.parse(next.at));
    return html`<rect class="level ${c.level.toLowerCase()}" x="${left}" y="64" width="${Math.max(2, right - left)}" height="10"/>`;
  })}`;
}
