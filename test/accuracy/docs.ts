/** Puts the figures between the markers of docs/accuracy.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { renderTables, type Summary } from './report.ts';

const file = fileURLToPath(new URL('../../docs/accuracy.md', import.meta.url));
const begin = '<!-- begin generated: npm run accuracy -- --docs -->';
const end = '<!-- end generated -->';

export async function writeDocs(summary: Summary): Promise<void> {
  const text = await readFile(file, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no place for figures between "${begin}" and "${end}"`);
  const { attacks, traps, days } = summary.seeds;
  const named = (seeds: readonly string[]): string => seeds.join(', ') || 'none';
  const seeds = `Seeds: attacks ${named(attacks)}; traps ${named(traps)}; ordinary days ${named(days)}.`;
  const body = `${seeds}\n\n${renderTables(summary)}`;
  await writeFile(file, `${text.slice(0, from + begin.length)}\n\n${body}\n\n${text.slice(to)}`);
}
