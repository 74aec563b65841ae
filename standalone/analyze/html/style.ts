/** The page's style sheet. Colours are pairs, light and dark, each at least 4.5:1 on what lies behind it. */
export const style = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f4f5f7, #0f1318);
  --card: light-dark(#ffffff, #171c23);
  --inset: light-dark(#f4f6f9, #1e252e);
  --text: light-dark(#18212c, #e3e8ee);
  --muted: light-dark(#566272, #a2adba);
  --rule: light-dark(#dde2e8, #2b333e);
  --accent: light-dark(#1d5aa8, #85b7f3);
  --main: light-dark(#3f78bd, #6ea6e6);
  --second: light-dark(#7a5ba6, #b79ae3);
  --third: light-dark(#a34a22, #eea074);
  --bad: light-dark(#bd3030, #f18080);
  --low: light-dark(#2d618f, #86bae6);
  --elevated: light-dark(#805600, #e2b550);
  --high: light-dark(#a8400a, #ff9f6b);
  --critical: light-dark(#a8071f, #ff8b8b);
  --good: light-dark(#1f6b3f, #7fd09f);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", "DejaVu Sans", sans-serif;
}
:root[data-theme=light] { color-scheme: light; }
:root[data-theme=dark] { color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
.wrap { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header.top { background: var(--card); border-bottom: 1px solid var(--rule); padding: 22px 0 0; }
header .row { display: flex; gap: 16px; align-items: flex-start; justify-content: space-between; }
h1, h3, p, li, nav, summary { overflow-wrap: anywhere; }
header .row > div { min-width: 0; }
h1 { font-size: 23px; line-height: 1.25; margin: 0 0 4px; font-weight: 650; letter-spacing: -.01em; }
h2 { font-size: 17px; margin: 0 0 10px; font-weight: 650; }
h3 { font-size: 14px; margin: 0; font-weight: 620; }
p { margin: 0 0 8px; }
.muted { color: var(--muted); }
.small { font-size: 13px; }
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 12px; top: 12px; background: var(--card); padding: 8px 12px; z-index: 2; }
#theme { flex: none; font: inherit; font-size: 13px; color: var(--text); background: var(--inset); border: 1px solid var(--rule); border-radius: 6px; padding: 4px 12px; cursor: pointer; }
nav { margin-top: 14px; display: flex; gap: 4px 20px; flex-wrap: wrap; font-size: 14px; }
nav a { color: var(--muted); text-decoration: none; padding: 6px 0 9px; border-bottom: 2px solid transparent; }
nav a:hover { color: var(--text); border-color: var(--accent); }
main.wrap { padding-top: 22px; padding-bottom: 24px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 18px 20px; margin-bottom: 18px; }
section.bare { background: none; border: 0; padding: 0; }
.verdict { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 10px 0 2px; }
.verdict .calm { color: var(--good); font-weight: 620; }
.badge { display: inline-block; font-size: 12.5px; font-weight: 640; line-height: 1.5; padding: 0 8px; border-radius: 5px; border: 1px solid currentcolor; white-space: nowrap; }
.none { color: var(--muted); } .low { color: var(--low); } .elevated { color: var(--elevated); } .high { color: var(--high); } .critical { color: var(--critical); }
dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); background: var(--card); border: 1px solid var(--rule); border-radius: 10px; overflow: hidden; margin: 0 0 18px; }
dl.figures div { padding: 11px 14px; box-shadow: 1px 1px 0 var(--rule); }
dl.figures dt { font-size: 12.5px; color: var(--muted); }
dl.figures dd { margin: 0; font-size: 20px; font-weight: 620; letter-spacing: -.01em; }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 18px; margin-bottom: 18px; }
figure { margin: 0; }
figure.chart { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px 10px; min-width: 0; }
section:not(.bare) figure.chart { border: 0; padding: 0; }
figcaption { overflow-wrap: anywhere; display: flex; flex-wrap: wrap; gap: 2px 16px; justify-content: space-between; margin-bottom: 8px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 0; padding: 0; font-size: 12.5px; color: var(--muted); }
.key { width: 22px; height: 10px; margin-right: 5px; overflow: visible; }
.plot { display: grid; grid-template-columns: 52px minmax(0, 1fr); }
.plot > svg { width: 100%; height: 150px; display: block; }
.y, .x { display: flex; justify-content: space-between; font-size: 12px; color: var(--muted); }
.y { white-space: nowrap; flex-direction: column; text-align: right; padding-right: 8px; margin: -8px 0; }
.x { grid-column: 2; padding-top: 5px; white-space: nowrap; }
.readout { font-size: 12.5px; color: var(--muted); margin: 6px 0 0; min-height: 3em; }
.grid { stroke: var(--rule); vector-effect: non-scaling-stroke; }
.cursor { stroke: var(--text); vector-effect: non-scaling-stroke; stroke-dasharray: 2 2; }
.mark { fill: var(--elevated); opacity: .16; }
.line { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.line.main { stroke: var(--main); } .line.second { stroke: var(--second); stroke-dasharray: 6 2.5; } .line.third { stroke: var(--third); stroke-dasharray: 2 2; } .line.bad { stroke: var(--bad); stroke-dasharray: 9 2; } .line.risk { stroke: var(--critical); }
.steps { stroke: none; } .steps.main { fill: var(--main); } .steps.bad { fill: var(--bad); } .steps.risk { fill: var(--critical); opacity: .8; } .steps.second { fill: var(--second); }
.key .line { stroke-width: 3; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
caption { text-align: left; color: var(--muted); font-size: 13px; padding-bottom: 6px; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top; font-weight: 400; }
th:last-child, td:last-child { padding-right: 2px; }
thead th { color: var(--muted); font-size: 12.5px; white-space: nowrap; border-bottom-color: var(--muted); }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { min-width: 17ch; }
table.sortable { min-width: 560px; }
#principals table, #campaigns table, #spikes table { min-width: 860px; }
#actions table, #reading table { max-width: 760px; }
tbody tr:hover > * { background: var(--inset); }
.n { text-align: right; white-space: nowrap; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button::after { content: "↕"; margin-left: 4px; opacity: .55; }
th[aria-sort=ascending] button::after { content: "↑"; opacity: 1; }
th[aria-sort=descending] button::after { content: "↓"; opacity: 1; }
th[aria-sort] { color: var(--text); }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: .92em; overflow-wrap: anywhere; }
td code, th code { overflow-wrap: anywhere; }
details.who { border-top: 1px solid var(--rule); padding: 10px 0; scroll-margin-top: 12px; }
details.who[open] { padding-bottom: 16px; }
details.who > summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; }
details.who > summary::before { content: "▸"; color: var(--muted); width: .8em; }
details.who[open] > summary::before { content: "▾"; }
details.who .name { font-weight: 620; overflow-wrap: anywhere; min-width: 0; }
details.who .body { padding: 8px 0 0 22px; }
.reasons { margin: 0 0 10px; padding-left: 18px; }
.reasons li { margin-bottom: 4px; }
.reasons .muted { display: block; font-size: 13px; }
.timeline { margin: 10px 0 12px; }
.timeline svg { width: 100%; height: 84px; display: block; background: var(--inset); border-radius: 5px; }
.timeline svg.flat { height: 36px; }
.timeline .main { fill: var(--main); } .timeline .bad { fill: var(--bad); } .timeline .span { fill: var(--second); }
rect.level.none { fill: var(--rule); } rect.level { fill: currentcolor; }
.ends { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; font-size: 12px; color: var(--muted); margin: 3px 0 0; }
ol.lines { list-style: none; margin: 0 0 10px; padding: 8px 12px; background: var(--inset); border-radius: 6px; font-size: 12.5px; }
ol.lines li { padding: 2px 0; overflow-wrap: anywhere; }
ul.plain { margin: 4px 0 10px; padding-left: 18px; }
footer { color: var(--muted); font-size: 13px; padding: 0 0 40px; }
@media (max-width: 760px) {
  .charts { grid-template-columns: minmax(0, 1fr); }
  .wrap { padding: 0 14px; } section { padding: 14px; }
  .x span:nth-child(even) { display: none; }
  .plot { grid-template-columns: 46px minmax(0, 1fr); }
  details.who .body { padding-left: 0; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print {
  :root { color-scheme: light !important; font-size: 12px; }
  body { background: #fff; } nav, #theme, .skip { display: none !important; }
  section, figure.chart { break-inside: avoid-page; border-color: #bbb; }
  section.long { break-inside: auto; } tr, li, details.who > summary, .timeline { break-inside: avoid; }
  .scroll { overflow: visible; } section table.sortable { min-width: 0 !important; } th button::after { content: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
