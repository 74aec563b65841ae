/** Bytes → text for logs of unknown encoding. */

/** UTF-8 where it is valid, else Latin-1, so that no line is lost to a stray byte. */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\uFFFD') ? bytes.toString('latin1', start, end) : text;
}
