/** One principal or campaign on a terminal: the short block of the list and the long one of `--principal`. */
import { chanceWords } from '../reason.ts';
import type { VerdictSummary } from '../result.ts';
import { fit, visible, wrap } from '../text.ts';
import { countText, plural, shareText, spanText, timeText } from '../units.ts';
import type { Page } from './page.ts';
import { sparkline } from './table.ts';

const listedFindings = 3;
const listedSamples = 3;
const sampleRows = 2;

export function principalName(v: VerdictSummary): string {
  if (v.campaign !== null && v.principal.value === null)
    return `Campaign ${v.campaign.traits.map((t) => `${t.trait} ${visible(t.value)}`).join(' + ')}`;
  return `${v.principal.kind} ${visible(v.principal.value ?? v.principal.pseudonym)}`;
}

export function principalBlock(page: Page, v: VerdictSummary, detailed = false): string[] {
  const { paint, columns } = page;
  const out: string[] = [];
  const badge = `${String(v.score).padStart(3)} ${v.level}`;
  const action = v.decision === null ? '' : `  would ${v.decision.action.toLowerCase()}`;
  const name = fit(principalName(v), Math.max(10, columns - badge.length - action.length - 6));
  out.push(`  ${paint.level(v.level, badge)}  ${paint.bold(name)}${paint.dim(action)}`);
  const indent = ' '.repeat(6);
  const text = (line: string, mark = '') =>
    wrap(line, columns - indent.length - mark.length).map(
      (l, i) => `${indent}${i === 0 ? mark : ' '.repeat(mark.length)}${l}`,
    );
  out.push(
    ...text(`${plural(v.requests, 'request')} on ${visible(v.api)}, ${spanText(v.firstSeen, v.lastSeen)}`).map(
      paint.dim,
    ),
  );
  if (v.campaign !== null) {
    const traits = v.campaign.traits.map((t) => `${t.trait} ${visible(t.value)}`).join(' and ');
    out.push(
      ...text(
        `${traits === '' ? '' : `Shared: ${traits}. `}${shareText(v.campaign.precision)} of the requests ${traits === '' ? '' : 'with it '}belong to the attack; ` +
          `${plural(v.campaign.addresses, 'address', 'addresses')}${v.campaign.accounts > 0 ? `, ${plural(v.campaign.accounts, 'account')}` : ''}.`,
      ),
    );
  }
  for (const f of detailed ? v.findings : v.findings.slice(0, listedFindings)) {
    out.push(...text(`${visible(f.words)}.`, '• '));
    const when = `${spanText(f.since, f.until)} · chance ${chanceWords(f.pValue)}`;
    const ids = detailed ? ` · ${[...f.owasp, ...f.oat].join(', ')} · ${shareText(f.share)} of the score` : '';
    out.push(...text(when + ids, '  ').map(paint.dim));
  }
  if (!detailed && v.findings.length > listedFindings)
    out.push(`${indent}  … ${v.findings.length - listedFindings} more`);
  if (detailed) out.push(...detail(page, v, text));
  for (const s of detailed ? v.samples : tellingSamples(v)) {
    const lines = wrap(`${visible(s.file)}:${s.line}  ${visible(s.text)}`, columns - indent.length - 4);
    const shown = detailed ? lines : lines.slice(0, sampleRows);
    if (shown.length < lines.length) shown.push(`${fit(shown.pop() ?? '', columns - indent.length - 6)} …`);
    out.push(...shown.map((l, i) => paint.dim(`${indent}${i === 0 ? '│ ' : '│   '}${l}`)));
  }
  if (v.notEnforceable !== null) out.push(...text(`Cannot be acted on: ${visible(v.notEnforceable)}`).map(paint.dim));
  if (v.benignIf !== '')
    out.push(...text(`Harmless if ${visible(v.benignIf).replace(/^harmless if /i, '')}`).map(paint.dim));
  return out;
}

/** First, middle and last of what is kept. */
function tellingSamples(v: VerdictSummary) {
  if (v.samples.length <= listedSamples) return v.samples;
  const pick = [0, v.samples.length >> 1, v.samples.length - 1];
  return pick.flatMap((i) => v.samples[i] ?? []);
}

function detail(page: Page, v: VerdictSummary, text: (line: string, mark?: string) => string[]): string[] {
  const out: string[] = [];
  const changes = v.levelChanges.map((c) => `${timeText(c.at)} ${c.level}`).join(' → ');
  if (changes !== '') out.push(...text(`Level: ${changes}; ${v.scoreAtEnd} (${v.levelAtEnd}) at the end`));
  const points = v.contributions.map((c) => `${c.source} ${c.points >= 0 ? '+' : ''}${c.points.toFixed(1)}`).join(', ');
  if (points !== '') out.push(...text(`Score: ${points}; confidence ${shareText(v.confidence)}`));
  const requests = v.timeline.points;
  if (requests.length > 1) {
    const line = sparkline(denseRequests(v), page.columns - 20);
    const peak = Math.max(...requests.map((p) => p.requests));
    out.push(`      Requests ${line}`, ...text(`highest ${countText(peak)} in one step`, '  ').map(page.paint.dim));
  }
  return out;
}

function denseRequests(v: VerdictSummary): number[] {
  const { widthMs, points } = v.timeline;
  const first = Date.parse(points[0]?.at ?? '');
  const out: number[] = [];
  for (const p of points) {
    const slot = Math.round((Date.parse(p.at) - first) / widthMs);
    // Steps without requests are drawn up to a bound; a longer silence would only be a longer blank.
    while (out.length < slot && out.length < 2_000) out.push(0);
    out.push(p.requests);
  }
  return out;
}
