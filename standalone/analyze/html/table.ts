/** Tables whose columns sort by click or keyboard; without script they are tables all the same. */
import { type Child, type Html, html } from './markup.ts';

export interface Heading {
  title: string;
  numeric?: boolean;
}

/** What is shown, and what it sorts by when that differs. */
export type Cell = { show: Child; by: number | string } | string | number;

export function sortableTable(caption: string, headings: readonly Heading[], rows: readonly (readonly Cell[])[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table class="sortable">
<caption>${caption}</caption>
<thead><tr>${headings.map((h) => html`<th scope="col"${h.numeric ? html` class="n"` : ''}><button type="button">${h.title}</button></th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, i) => {
        const { show, by } = typeof cell === 'object' ? cell : { show: cell, by: cell };
        const numeric = headings[i]?.numeric ? html` class="n"` : '';
        return i === 0
          ? html`<th scope="row" data-by="${by}"${numeric}>${show}</th>`
          : html`<td data-by="${by}"${numeric}>${show}</td>`;
      })}</tr>\n`,
  )}</tbody></table></div>`;
}
