/** The HTML report in a real browser: it must work without network, mouse or good eyes. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { renderHtml } from '@picket/standalone/analyze/html/page.ts';
import { attackedShop, hostileShop, quietShop } from '@picket/standalone/analyze/testing/shop-day.ts';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const executablePath = (process.env.PATH ?? '')
  .split(delimiter)
  .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
  .find((path) => existsSync(path));

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe.skipIf(executablePath === undefined)('the HTML report in Chromium (skipped where none is installed)', () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  let troubles: string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'analyze-html-'));
    for (const [name, result] of [
      ['attacked', attackedShop()],
      ['quiet', quietShop(4)],
      ['hostile', hostileShop()],
    ] as const)
      writeFileSync(join(folder, `${name}.html`), renderHtml(result));
    browser = await chromium.launch({ args: flags, ...(executablePath === undefined ? {} : { executablePath }) });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await page?.context().close();
  });

  async function open(name: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    page = await context.newPage();
    troubles = [];
    const url = pathToFileURL(join(folder, `${name}.html`)).href;
    page.on('console', (m) => troubles.push(m.text()));
    page.on('pageerror', (e) => troubles.push(String(e)));
    page.on('dialog', (d) => troubles.push(`dialog ${d.message()}`));
    page.on('request', (r) => {
      if (r.url() !== url) troubles.push(r.url());
    });
    await page.goto(url);
    return page;
  }

  it.each(['attacked', 'quiet', 'hostile'])(
    'renders without errors, requests or sideways scrolling: %s',
    async (name) => {
      for (const viewport of [
        { width: 1280, height: 900 },
        { width: 390, height: 800 },
      ]) {
        const p = await open(name, { viewport });
        expect(await p.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
        expect(await p.locator('h1').count()).toBe(1);
        expect(troubles).toEqual([]);
        await p.context().close();
      }
    },
  );

  it('runs nothing that a log line carries', async () => {
    const p = await open('hostile');
    expect(await p.locator('img').count()).toBe(0);
    expect(await p.locator('script').count()).toBe(2);
    expect(await p.locator('body').innerText()).toContain('<script>alert(1)</script>');
    expect(troubles).toEqual([]);
  });

  it('names every chart and timeline, and every table has a caption', async () => {
    const p = await open('attacked');
    const charts = p.getByRole('img');
    const names = await charts.evaluateAll((all) =>
      all.map((svg) =>
        (svg.getAttribute('aria-labelledby') ?? '')
          .split(' ')
          .map((id: string) => svg.ownerDocument.getElementById(id)?.textContent ?? '')
          .join(' ')
          .trim(),
      ),
    );
    expect(names.length).toBeGreaterThanOrEqual(6);
    for (const name of names) expect(name.length).toBeGreaterThan(20);
    await expect(p.getByRole('img', { name: /Requests per 5 min.*24,420 requests; busiest/ }).count()).resolves.toBe(1);
    expect(await p.locator('table').count()).toBe(await p.locator('table > caption').count());
  });

  it('sorts a table by keyboard and says how it is sorted', async () => {
    const p = await open('attacked');
    const table = p.locator('#operations table');
    const column = (n: number) =>
      table.locator(`tbody tr > :nth-child(${n})`).evaluateAll((c) => c.map((x) => Number(x.getAttribute('data-by'))));
    const head = table.locator('thead th', { hasText: 'p99' });
    await head.locator('button').focus();
    await p.keyboard.press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    const descending = await column(8);
    expect(descending).toEqual([...descending].sort((a, b) => b - a));
    await p.keyboard.press('Space');
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(await column(8)).toEqual([...descending].reverse());
    await table.locator('thead th', { hasText: 'Operation' }).locator('button').press('Enter');
    expect(await table.locator('tbody th').first().innerText()).toBe('GET /');
    expect(await table.locator('thead th[aria-sort]').count()).toBe(1);
  });

  it('reads charts bucket by bucket with the arrow keys', async () => {
    const p = await open('attacked');
    const readout = p.locator('#traffic-d');
    const summary = await readout.innerText();
    await p.locator('[data-chart=traffic]').focus();
    await p.keyboard.press('End');
    expect(await readout.innerText()).toMatch(/^2026-03-02 23:55:00 UTC: requests \d+, answered with an error \d+/);
    await p.keyboard.press('ArrowLeft');
    expect(await readout.innerText()).toMatch(/^2026-03-02 23:50:00 UTC/);
    await p.keyboard.press('Escape');
    expect(await readout.innerText()).toBe(summary);
  });

  it('opens the part that a link leads to', async () => {
    const p = await open('attacked');
    await p.locator('#campaigns details').evaluate((d) => d.removeAttribute('open'));
    await p.locator('#campaigns tbody a').focus();
    await p.keyboard.press('Enter');
    await expect.poll(() => p.locator('#campaigns details').getAttribute('open')).toBe('');
  });

  it('shows where the focus is', async () => {
    const p = await open('attacked');
    await p.keyboard.press('Tab');
    expect(await p.evaluate('document.activeElement.textContent')).toBe('Skip to the report');
    await p.keyboard.press('Tab');
    expect(await p.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
  });

  it.each(['light', 'dark'] as const)('keeps text readable in %s: 4.5 to 1 and more', async (colorScheme) => {
    for (const name of ['attacked', 'quiet']) {
      const p = await open(name, { colorScheme });
      const checked = await p.evaluate<{ ratio: number; text: string }[]>(contrastScript);
      expect(checked.length).toBeGreaterThan(60);
      expect(checked.filter((c) => c.ratio < 4.5)).toEqual([]);
      await p.context().close();
    }
  });

  it('switches between light and dark', async () => {
    const p = await open('attacked', { colorScheme: 'light' });
    const background = () => p.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await background();
    await p.getByRole('button', { name: 'Switch to dark colours' }).press('Enter');
    expect(await background()).not.toBe(light);
    await p.getByRole('button', { name: 'Switch to light colours' }).press('Enter');
    expect(await background()).toBe(light);
  });

  it('prints everything, light, with all parts open', async () => {
    const p = await open('attacked', { colorScheme: 'dark' });
    await p.locator('details').evaluateAll((all) => {
      for (const d of all) d.removeAttribute('open');
    });
    const pdf = await p.pdf({ format: 'A4', printBackground: true });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(await p.locator('details:not([open])').count()).toBe(0);
    await p.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await p.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
    expect(await p.locator('nav').isVisible()).toBe(false);
  });
});

/** WCAG 2 contrast of each element with text of its own against the first opaque background behind it. */
const contrastScript = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const checked = [];
  for (const element of document.body.querySelectorAll('*')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '');
    if (!own || !element.checkVisibility() || element.closest('svg')) continue;
    let behind = element;
    while (behind && rgb(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
    const a = luminance(rgb(getComputedStyle(element).color));
    const b = luminance(rgb(getComputedStyle(behind ?? document.documentElement).backgroundColor));
    checked.push({ ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text: element.textContent.slice(0, 40) });
  }
  return checked;
})()`;
