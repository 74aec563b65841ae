/**
 * Charts over time as stretchable SVG. Only the drawing stretches: labels are HTML around it, so that text keeps its
 * size on a phone. A chart takes focus and is read bucket by bucket with the arrow keys.
 */
import { timeText } from '../units.ts';
import { type Html, html } from './markup.ts';

export interface ChartLine {
  name: string;
  /** `null` breaks the line. */
  values: readonly (number | null)[];
  /** Style class: colour and dash, never colour alone. */
  style: 'main' | 'second' | 'third' | 'bad' | 'risk';
  /** Filled steps for counts, lines for the rest. */
  shape: 'steps' | 'line';
}

export interface ChartSpec {
  id: string;
  title: string;
  /** One sentence with the figures that matter, for those who cannot see the drawing. */
  summary: string;
  at: readonly string[];
  lines: readonly ChartLine[];
  /** How values are written on the axis and in the readout. */
  format: 'count' | 'share' | 'ms' | 'score';
  /** Fixed top of the axis. */
  top?: number;
  /** Bucket ranges drawn behind: spikes. */
  marks?: readonly { first: number; last: number }[];
}

const wide = 1000;
const high = 200;

export function chart(spec: ChartSpec): Html {
  const present = spec.lines.flatMap((l) => l.values.filter((v) => v !== null));
  const scale = chooseScale(present, spec);
  const n = Math.max(1, spec.at.length);
  const x = (i: number) => round((i / n) * wide);
  const y = (v: number) => round(high - scale.position(v) * high);
  return html`<figure class="chart" id="${spec.id}">
<figcaption><h3 id="${spec.id}-t">${spec.title}</h3>${legend(spec.lines)}</figcaption>
<div class="plot" tabindex="0" role="group" aria-labelledby="${spec.id}-t" aria-describedby="${spec.id}-d" data-chart="${spec.id}">
<div class="y" aria-hidden="true">${scale.ticks.map((t) => html`<span>${valueText(t, spec.format)}</span>`)}</div>
<svg viewBox="0 0 ${wide} ${high}" preserveAspectRatio="none" role="img" aria-labelledby="${spec.id}-t ${spec.id}-d">
${scale.ticks.map((_, i) => {
  const at = round((i / Math.max(1, scale.ticks.length - 1)) * high);
  return html`<line class="grid" x1="0" x2="${wide}" y1="${at}" y2="${at}"/>`;
})}
${(spec.marks ?? []).map((m) => html`<rect class="mark" x="${x(m.first)}" y="0" width="${round(Math.max(3, x(m.last + 1) - x(m.first)))}" height="${high}"/>`)}
${spec.lines.map((l) => path(l, x, y))}
<line class="cursor" x1="0" x2="0" y1="0" y2="${high}" visibility="hidden"/>
</svg>
<div class="x" aria-hidden="true">${timeTicks(spec.at).map((t) => html`<span>${t}</span>`)}</div>
</div>
<p class="readout" id="${spec.id}-d" aria-live="polite">${spec.summary}</p>
</figure>`;
}

function legend(lines: readonly ChartLine[]): Html {
  return html`<ul class="legend">${lines.map(
    (l) =>
      html`<li><svg class="key" viewBox="0 0 22 10" aria-hidden="true"><line class="${l.style} line" x1="1" x2="21" y1="5" y2="5"/></svg>${l.name}</li>`,
  )}</ul>`;
}

function path(line: ChartLine, x: (i: number) => number, y: (v: number) => number): Html {
  let d = '';
  if (line.shape === 'steps') {
    d = `M0 ${high}`;
    line.values.forEach((v, i) => {
      d += `V${y(v ?? 0)}H${x(i + 1)}`;
    });
    d += `V${high}Z`;
    return html`<path class="${line.style} steps" d="${d}"/>`;
  }
  let open = false;
  line.values.forEach((v, i) => {
    if (v === null) {
      open = false;
      return;
    }
    const at = round((x(i) + x(i + 1)) / 2);
    d += `${open ? 'L' : 'M'}${at} ${y(v)}`;
    // A point between two gaps is drawn as a short dash.
    if (!open && (line.values[i + 1] ?? null) === null) d += 'h3';
    open = true;
  });
  return html`<path class="${line.style} line" d="${d}"/>`;
}

interface Scale {
  /** 0 at the bottom, 1 at the top. */
  position(v: number): number;
  /** From top to bottom. */
  ticks: number[];
}

function chooseScale(values: readonly number[], spec: ChartSpec): Scale {
  const highest = values.reduce((a, b) => Math.max(a, b), 0);
  const lowest = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Number.POSITIVE_INFINITY);
  if (spec.format === 'ms' && highest / lowest > 50) {
    const bottom = 10 ** Math.floor(Math.log10(lowest));
    const decades = Math.max(1, Math.ceil(Math.log10(highest / bottom)));
    return {
      position: (v) => Math.max(0, Math.min(1, Math.log10(Math.max(v, bottom) / bottom) / decades)),
      ticks: Array.from({ length: decades + 1 }, (_, i) => bottom * 10 ** (decades - i)),
    };
  }
  const top = spec.top ?? niceTop(highest, spec.format === 'share' ? 0.01 : spec.format === 'count' ? 4 : 1);
  return { position: (v) => Math.max(0, Math.min(1, v / top)), ticks: [top, top / 2, 0] };
}

/** Next of 1, 2, 4, 5 or 8 times a power of ten. */
function niceTop(v: number, least: number): number {
  if (v <= least) return least;
  const power = 10 ** Math.floor(Math.log10(v));
  return ([1, 2, 4, 5, 8, 10].find((m) => m * power >= v) ?? 10) * power;
}

/** Five moments at equal distance; the date only where it changes. */
function timeTicks(at: readonly string[]): string[] {
  if (at.length === 0) return [];
  const first = Date.parse(at[0] ?? '');
  const last = Date.parse(at.at(-1) ?? '');
  const n = at.length < 5 ? at.length : 5;
  const long = last - first > 10 * 86_400_000;
  const sameDay = at[0]?.slice(0, 10) === at.at(-1)?.slice(0, 10);
  return Array.from({ length: n }, (_, i) => {
    const text = timeText(new Date(n === 1 ? first : first + ((last - first) * i) / (n - 1)).toISOString());
    if (long) return text.slice(0, 10);
    return sameDay ? text.slice(11, last - first < 600_000 ? 19 : 16) : text.slice(5, 16);
  });
}

export function valueText(v: number, format: ChartSpec['format']): string {
  if (format === 'share') return `${Number((v * 100).toPrecision(3))} %`;
  if (format === 'ms') return v >= 1000 ? `${Number((v / 1000).toPrecision(3))} s` : `${Number(v.toPrecision(3))} ms`;
  if (format === 'count' && v >= 10_000) return `${Number((v / 1000).toPrecision(3))}k`;
  return String(Number(v.toPrecision(4)));
}

function round(v: number): number {
  return Math.round(v * 10) / 10;
}
