/**
 * Is one path segment, seen alone, a value somebody filled in? Values carry the marks of identifiers: digits in number,
 * random letters, an address, a date. Words do not; for those only the number of siblings can tell (`learned-paths`).
 */

/** Segments that are API versions: never parameters, never folded. */
const version = /^v\d{1,4}(\.\d{1,4}){0,3}([a-z]{1,6}\d{0,3})?$/i;
const dotted = /^\d{1,6}(\.\d{1,6}){1,3}$/;
const mail = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;
const instant = /^\d{4}-?\d{2}-?\d{2}[t ]?\d{0,2}:?/i;

export function isVersion(segment: string): boolean {
  const c = segment.charCodeAt(0);
  return (c === 118 || c === 86) && version.test(segment);
}

/** @param segment as sent, percent-encoding and all. */
export function isIdentifier(raw: string): boolean {
  const n = raw.length;
  if (n === 0) return false;
  let digits = 0;
  let coded = false;
  for (let i = 0; i < n; i++) {
    const c = raw.charCodeAt(i);
    if (c >= 48 && c <= 57) digits++;
    else if (c === 37 || c === 64) coded = true;
  }
  if (digits === n) return true;
  if (n > 120) return true;
  if (coded) return isCodedIdentifier(raw);
  if (digits === 0) return n >= 8 && hasRandomLetters(raw);
  return isMixedIdentifier(raw);
}

function isCodedIdentifier(raw: string): boolean {
  let text = raw;
  try {
    text = decodeURIComponent(raw);
  } catch {
    // Half an escape is judged as it stands.
  }
  if (mail.test(text)) return true;
  if (text === raw) return isMixedIdentifier(text);
  return /\d/.test(text) ? isMixedIdentifier(text) : text.length >= 8 && hasRandomLetters(text);
}

function isMixedIdentifier(text: string): boolean {
  if (/^[\d,;:_/ -]+$/.test(text)) return /\d/.test(text);
  if (isVersion(text) || dotted.test(text)) return false;
  if (instant.test(text)) return true;
  // Words, words with up to two digits and numbers of up to four make a name: "top-100-songs", "eu-central-1a".
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 45;
    const alphanumeric = (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c > 127;
    if (alphanumeric) continue;
    if (i > from && !isName(text, from, i)) return true;
    from = i + 1;
  }
  return hasRandomLetters(text);
}

/** Judges one run of letters and digits. */
function isName(text: string, from: number, to: number): boolean {
  const length = to - from;
  let digits = 0;
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c >= 48 && c <= 57) digits++;
  }
  if (digits === 0) return true;
  if (digits === length) return length <= 4;
  if (digits >= 4) return false;
  if (digits >= 3 && length >= 8) return false;
  // Short hashes: seven and more hex digits that begin or alternate with figures.
  if (length >= 7 && digits >= 2 && /^(?=.*[a-f]\d+[a-f]|\d+[a-f]+\d)[0-9a-f]+$/i.test(text.slice(from, to)))
    return false;
  return true;
}

/**
 * Letters that nobody pronounces: a run of seven consonants, or humps of mixed case most of which hold no vowel.
 * Deliberately blind to short and to pronounceable random text; siblings give those away.
 */
function hasRandomLetters(text: string): boolean {
  let consonants = 0;
  let humps = 0;
  let odd = 0;
  let vowels = 0;
  let length = 0;
  let before = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 0;
    const upper = c >= 65 && c <= 90;
    const lower = c >= 97 && c <= 122;
    const starts = !lower && !(upper && before >= 65 && before <= 90);
    if (starts && length > 0) {
      humps++;
      if (length === 1 || vowels === 0) odd++;
      length = vowels = 0;
    }
    if (upper || lower) {
      length++;
      if (isVowel(c | 32)) {
        vowels++;
        consonants = 0;
      } else if (++consonants >= 7) return true;
    } else consonants = 0;
    before = c;
  }
  return humps >= 4 && odd * 2 > humps && !/[-_.,: ]/.test(text);
}

function isVowel(lower: number): boolean {
  return lower === 97 || lower === 101 || lower === 105 || lower === 111 || lower === 117 || lower === 121;
}

/** Text with every run of digits as "#": siblings of one shape are counted together. "" when it holds no digit. */
export function digitShape(segment: string): string {
  return /\d/.test(segment) ? segment.replace(/\d+/g, '#') : '';
}
