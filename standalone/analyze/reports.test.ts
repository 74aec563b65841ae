import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderCsv } from './csv.ts';
import { onlyApi } from './filter.ts';
import { renderHtml } from './html/page.ts';
import { createProgress, progressText } from './progress.ts';
import { pseudonymise } from './pseudonymise.ts';
import { renderTerminal } from './terminal/report.ts';
import { api, attackedShop, buildAttackedShop, hostileShop, quietShop, runSummary } from './testing/shop-day.ts';
import { fit, visible, width, wrap } from './text.ts';
import { createCollector } from './collector.ts';

const wide = { columns: 120, colour: false, top: 10 };
const narrow = { columns: 80, colour: false, top: 10 };

/** `UPDATE_GOLDEN=1` rewrites. */
function golden(name: string, text: string): void {
  const folder = new URL('testdata/', import.meta.url);
  const file = new URL(name, folder);
  if (process.env.UPDATE_GOLDEN === '1') {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(readFileSync(file, 'utf8'));
}

describe('the terminal report', () => {
  it.each([
    ['attacked-80.txt', () => renderTerminal(attackedShop(), narrow)],
    ['attacked-120.txt', () => renderTerminal(attackedShop(), wide)],
    ['quiet-80.txt', () => renderTerminal(quietShop(4), narrow)],
    ['empty-80.txt', () => renderTerminal(createCollector().build(runSummary({ apis: [], inputs: [] })), narrow)],
    ['principal-120.txt', () => renderTerminal(attackedShop(), { ...wide, principal: '203.0.113.7' })],
    ['hidden-80.txt', () => renderTerminal(pseudonymise(attackedShop()), narrow)],
  ])('reads as recorded: %s', (name, render) => golden(name, render()));

  it.each([60, 80, 100, 140])('fits %i columns', (columns) => {
    for (const result of [attackedShop(), quietShop(4), hostileShop()])
      for (const line of renderTerminal(result, { ...wide, columns }).split('\n'))
        expect(width(line), line).toBeLessThanOrEqual(columns);
  });

  it('passes no control or reordering character from a log to the terminal', () => {
    for (const principal of [undefined, 'nobody\u001b[2J']) {
      const text = renderTerminal(hostileShop(), { ...narrow, principal });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    }
  });

  it('uses colours only when told to', () => {
    expect(renderTerminal(attackedShop(), { ...wide, colour: true })).toContain('\u001b[');
    expect(renderTerminal(attackedShop(), wide)).not.toContain('\u001b');
  });

  it('does not say of a file that nothing could be read from that every line of it was understood', () => {
    const r = quietShop();
    const of = (bytes: number) => ({ ...r, inputs: [...r.inputs, { file: 'x.bin', format: '', lines: 0, bytes }] });
    const strange = [renderTerminal(of(9), narrow), renderHtml(of(9))];
    for (const text of strange) {
      expect(text).toContain('format not recognised');
      expect(text).toContain('Every line of the other files was understood.');
    }
    expect(renderTerminal(of(0), narrow)).toMatch(/x\.bin · empty · .*\n.*Every line was understood\./);
  });

  it('says calmly that nothing is wrong, and what it looked at', () => {
    const text = renderTerminal(quietShop(), narrow);
    expect(text).toContain('Nothing here needs attention.');
    expect(text).toContain('Looked at 6 operations');
  });

  it('narrows to an API by name or host and knows when there is none', () => {
    const r = attackedShop();
    expect(onlyApi(r, 'shop-example-com')?.operations).toHaveLength(6);
    expect(onlyApi(r, 'Shop.example.com')?.apis[0]?.name).toBe(api);
    expect(onlyApi(r, 'other')).toBeUndefined();
  });
});

describe('text on a terminal', () => {
  it('counts wide characters twice and combining ones not at all', () => {
    expect(width('日本')).toBe(4);
    expect(width('e\u0301')).toBe(1);
    expect(width('\u001b[31mred\u001b[39m')).toBe(3);
    expect(fit('日本語', 5)).toBe('日本…');
    expect(wrap('aa bbbb cc', 5)).toEqual(['aa', 'bbbb', 'cc']);
    expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
  });

  it('makes invisible characters visible', () => {
    expect(visible('a\u001b[0m\u202e\u200b\u0085\ud800b')).toBe('a\\x1b[0m\\u{202e}\\u{200b}\\x85\\u{d800}b');
  });
});

describe('CSV', () => {
  it('has a header and one row per entry', () => {
    const r = attackedShop();
    const rows = new Map(renderCsv(r).map((f) => [f.name, f.content.trimEnd().split('\r\n').length - 1]));
    expect(rows).toEqual(
      new Map([
        ['operations.csv', r.operations.length],
        ['verdicts.csv', r.verdicts.length],
        ['findings.csv', r.verdicts.reduce((n, v) => n + v.findings.length, 0)],
        ['series.csv', r.series.at.length],
      ]),
    );
  });

  it('never starts a text cell with what a spreadsheet would run', () => {
    const r = attackedShop();
    const first = r.operations[0];
    const operations = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'].flatMap((template) =>
      first === undefined ? [] : [{ ...first, api: template, method: template, template }],
    );
    const content = renderCsv({ ...r, operations })[0]?.content ?? '';
    expect(operations).toHaveLength(6);
    expect(content.split('\r\n').flatMap((row) => row.match(/(?:^|,)"?[=+\-@\t]/g) ?? [])).toEqual([]);
    expect(content).toContain(`"'=1+1"`);
  });
});

describe('the HTML page', () => {
  it('escapes text from logs wherever it stands', () => {
    const page = renderHtml(hostileShop());
    expect(page).not.toContain('<script>alert');
    expect(page).not.toContain('<img');
    expect(page.match(/<script/g)).toHaveLength(2);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(page).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  it('allows its own style and script by digest and nothing else', () => {
    const page = renderHtml(attackedShop());
    expect(page).toMatch(/default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'/);
    expect(page).not.toMatch(/ style="| on[a-z]+="|https?:\/\//);
  });

  it('is the same for the same result', () => {
    expect(renderHtml(buildAttackedShop())).toBe(renderHtml(attackedShop()));
  });
});

describe('progress', () => {
  it('shows share, rate and time left', () => {
    expect(progressText(25, 50_000, 100, 2_000)).toBe(' 25 %  50,000 lines  25,000/s  6 s left');
    expect(progressText(25, 10, null, 100)).toBe('10 lines');
  });

  it('redraws one line on a terminal and clears it, and writes plain lines elsewhere', () => {
    let now = 0;
    const clock = { now: () => now, elapsed: () => now };
    const run = (tty: boolean) => {
      now = 0;
      const written: string[] = [];
      const progress = createProgress({ totalBytes: 100, clock, tty, columns: 80, write: (t) => written.push(t) });
      for (let i = 0; i <= 100; i++) {
        now = i * 250;
        progress.update(i, i * 1000);
      }
      progress.end();
      return written;
    };
    const drawn = run(true);
    expect(drawn).toHaveLength(102);
    expect(drawn.every((t) => t.startsWith('\r') && t.endsWith('\u001b[K'))).toBe(true);
    expect(run(false)).toEqual([
      ' 40 %  40,000 lines  4,000/s  15 s left\n',
      ' 80 %  80,000 lines  4,000/s  5 s left\n',
    ]);
  });
});
