/** What was read, in words, for the terminal and the page. */
import type { InputFile } from './result.ts';

export function formatText({ format, bytes }: InputFile): string {
  if (format !== '') return format;
  return bytes === 0 ? 'empty' : 'format not recognised';
}

/** For a report without a rejected line. */
export function understoodText(inputs: readonly InputFile[]): string {
  const strange = inputs.some((f) => f.format === '' && f.bytes !== 0);
  return `Every line ${strange ? 'of the other files ' : ''}was understood.`;
}
