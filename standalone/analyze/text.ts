/** Text from logs on a terminal: nothing in it may move the cursor, and columns must line up. */

/** C0 and C1 controls, and characters that reorder or hide what stands beside them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}\ud800-\udfff]/gu;

/** Shows control and invisible characters as `\x1b` or `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(unsafe, (c) => {
    const code = c.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours that this program put there
const colour = /\u001b\[\d+(?:;\d+)*m/g;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const wide =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}])/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: printable ASCII needs no segmenter
const plain = /^[\x20-\x7e]*$/;

/** Columns that a text takes, colours not counted. */
export function width(text: string): number {
  const bare = text.replace(colour, '');
  if (plain.test(bare)) return bare.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(bare)) columns += columnsOf(segment);
  return columns;
}

function columnsOf(segment: string): number {
  if (/^\p{M}/u.test(segment)) return 0;
  return wide.test(segment) ? 2 : 1;
}

/** Cuts to `columns` with an ellipsis. For text without colours. */
export function fit(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  if (columns <= 1) return '…'.slice(0, columns);
  let out = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const w = columnsOf(segment);
    if (used + w > columns - 1) break;
    out += segment;
    used += w;
  }
  return `${out}…`;
}

export function pad(text: string, columns: number, side: 'left' | 'right' = 'right'): string {
  const space = ' '.repeat(Math.max(0, columns - width(text)));
  return side === 'right' ? text + space : space + text;
}

/** Breaks at spaces; words longer than a line are cut. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    let rest = word;
    if (line !== '' && width(line) + 1 + width(rest) <= columns) {
      line += ` ${rest}`;
      continue;
    }
    if (line !== '') lines.push(line);
    while (width(rest) > columns) {
      const head = [...graphemes.segment(rest)].slice(0, columns).map((s) => s.segment);
      while (width(head.join('')) > columns) head.pop();
      lines.push(head.join(''));
      rest = rest.slice(head.join('').length);
    }
    line = rest;
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}
