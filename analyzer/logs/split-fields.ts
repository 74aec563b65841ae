/** Lines of space-separated fields, some of them quoted, some in braces. */

/**
 * Splits at spaces from `from` on; a field that starts with `"` runs to the next unescaped `"` that ends a field.
 * Quoted fields keep a leading `"` so that callers can tell `"-"` from `-`: see `unquote`. At most `max` fields.
 */
export function splitFields(line: string, from: number, max = 64): string[] {
  const fields: string[] = [];
  let at = from;
  while (at < line.length && fields.length < max) {
    const c = line.charCodeAt(at);
    if (c === 32) {
      at++;
    } else if (c === 34) {
      const end = quoteEnd(line, at + 1);
      fields.push(line.slice(at, end));
      at = end + 1;
    } else {
      const space = line.indexOf(' ', at);
      const end = space < 0 ? line.length : space;
      fields.push(line.slice(at, end));
      at = end + 1;
    }
  }
  return fields;
}

/** Position of the quote that closes a field opened before `from`; the length of the line when none does. */
export function quoteEnd(line: string, from: number): number {
  let at = line.indexOf('"', from);
  while (at >= 0) {
    let slashes = 0;
    while (line.charCodeAt(at - 1 - slashes) === 92 && at - 1 - slashes >= from) slashes++;
    const next = line.charCodeAt(at + 1);
    if (slashes % 2 === 0 && (at + 1 >= line.length || next === 32 || next === 13)) return at;
    at = line.indexOf('"', at + 1);
  }
  return line.length;
}

/** A field without its marking quote; "" for `-`. */
export function unquote(field: string | undefined): string {
  if (field === undefined || field === '-') return '';
  const s = field.charCodeAt(0) === 34 ? field.slice(1) : field;
  return s === '-' ? '' : s;
}

/** A non-negative decimal number; NaN for `-`, "" and anything else. */
export function numberIn(field: string | undefined): number {
  if (field === undefined || field === '' || field.length > 24) return Number.NaN;
  const c = field.charCodeAt(0);
  if (c < 46 || c > 57) return Number.NaN;
  return Number(field);
}
