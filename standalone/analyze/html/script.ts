/** The page's own script: theme, sorting, reading charts by pointer or arrow keys, opening everything for print. */
export const script = String.raw`(() => {
  'use strict';
  const root = document.documentElement;
  const toggle = document.getElementById('theme');
  const dark = () => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const label = () => { toggle.textContent = dark() ? 'Light' : 'Dark'; toggle.setAttribute('aria-label', 'Switch to ' + (dark() ? 'light' : 'dark') + ' colours'); };
  toggle.hidden = false;
  toggle.addEventListener('click', () => { root.dataset.theme = dark() ? 'light' : 'dark'; label(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  label();

  for (const table of document.querySelectorAll('table.sortable')) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector('button').addEventListener('click', () => {
      const numeric = head.classList.contains('n');
      const now = head.getAttribute('aria-sort');
      const down = now ? now === 'ascending' : numeric;
      heads.forEach((h) => h.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const by = (row) => row.cells[column].dataset.by;
      const order = (a, b) => numeric ? Number(by(a)) - Number(by(b)) : by(a).localeCompare(by(b), 'en', { numeric: true });
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => down ? order(b, a) : order(a, b)));
    }));
  }

  const data = JSON.parse(document.getElementById('series').textContent);
  for (const plot of document.querySelectorAll('[data-chart]')) {
    const chart = data.charts[plot.dataset.chart];
    const readout = document.getElementById(plot.dataset.chart + '-d');
    const cursor = plot.querySelector('.cursor');
    const summary = readout.textContent;
    const n = chart.at.length;
    let index = -1;
    const show = (i) => {
      index = Math.max(0, Math.min(n - 1, i));
      const x = (index + 0.5) / n * 1000;
      cursor.setAttribute('x1', x);
      cursor.setAttribute('x2', x);
      cursor.setAttribute('visibility', 'visible');
      readout.textContent = chart.at[index] + ' UTC: ' + chart.lines.map((l) => l.name + ' ' + (l.text[index] ?? '–')).join(', ');
    };
    const clear = () => { index = -1; cursor.setAttribute('visibility', 'hidden'); readout.textContent = summary; };
    if (n === 0) continue;
    plot.addEventListener('pointermove', (e) => {
      const box = plot.querySelector('svg').getBoundingClientRect();
      const i = Math.floor((e.clientX - box.left) / box.width * n);
      if (i >= 0 && i < n) show(i);
    });
    plot.addEventListener('pointerleave', clear);
    plot.addEventListener('blur', clear);
    plot.addEventListener('keydown', (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[e.key];
      if (step !== undefined) show(index < 0 ? (step > 0 ? 0 : n - 1) : index + step);
      else if (e.key === 'Home') show(0);
      else if (e.key === 'End') show(n - 1);
      else if (e.key === 'Escape') clear();
      else return;
      e.preventDefault();
    });
  }

  const openTarget = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === 'DETAILS') target.open = true;
  };
  addEventListener('hashchange', openTarget);
  openTarget();
  addEventListener('beforeprint', () => { for (const d of document.querySelectorAll('details')) d.open = true; });
})();
`;
