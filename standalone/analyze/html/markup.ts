/** HTML by template literals that escape whatever they are given, unless it is markup already. */
import { visible } from '../text.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** Markup that is safe to put into a page as it is. */
export interface Html {
  readonly markup: string;
}

export type Child = Html | string | number | null | undefined | false | readonly Child[];

/** Text for element content and quoted attributes. Control and reordering characters are shown, not obeyed. */
export function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"'`]/g, (c) => entities[c] ?? c);
}

export function html(parts: TemplateStringsArray, ...children: Child[]): Html {
  let markup = parts[0] ?? '';
  children.forEach((child, i) => {
    markup += toMarkup(child) + (parts[i + 1] ?? '');
  });
  return { markup };
}

/** Own constants only: style sheets, scripts. */
export function trusted(markup: string): Html {
  return { markup };
}

/** JSON for a data block: `</script>` and `<!--` cannot occur in it. */
export function jsonBlock(value: unknown): Html {
  return {
    markup: JSON.stringify(value).replace(
      /[<>&\u2028\u2029]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  };
}

function toMarkup(child: Child): string {
  if (child === null || child === undefined || child === false) return '';
  if (typeof child === 'string') return escapeHtml(child);
  if (typeof child === 'number') return String(child);
  if (Array.isArray(child)) return child.map(toMarkup).join('');
  return (child as Html).markup;
}
