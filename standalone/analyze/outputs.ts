/** Writes the reports that were asked for, and says before the work begins when it could not. */
import { constants } from 'node:fs';
import { access, mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { renderCsv } from './csv.ts';
import { renderHtml } from './html/page.ts';
import { renderJson } from './json.ts';
import type { AnalyzeOptions } from './options.ts';
import type { AnalyzeResult } from './result.ts';
import { UnusableInput } from './unusable-input.ts';

/** How a file written here begins; anything else at that place is somebody's data. */
const jsonStart = '{\n  "version": ';

/** Throws `UnusableInput` when a report would have nowhere to go or would replace an input. */
export async function checkOutputs(options: AnalyzeOptions): Promise<void> {
  const inputs = new Set(options.files.map((f) => resolve(f)));
  for (const [flag, path] of [
    ['--html', options.html],
    ['--json', options.json],
  ] as const) {
    if (path === undefined || path === '-') continue;
    if (inputs.has(resolve(path))) throw new UnusableInput(`${flag} would write over the input ${path}.`);
    await access(dirname(resolve(path)), constants.W_OK).catch((cause: unknown) => {
      throw new UnusableInput(`${flag} cannot write ${path}: ${reasonOf(cause)}.`, { cause });
    });
  }
  if (options.json !== undefined && options.json !== '-' && !(await isOurs(options.json)))
    throw new UnusableInput(
      `--json would write over ${options.json}, which is not a Picket report; put --json last to print it.`,
    );
}

/** JSON for standard output is the caller's to print. */
export async function writeReports(result: AnalyzeResult, options: AnalyzeOptions): Promise<void> {
  try {
    if (options.html !== undefined) await writeFile(options.html, renderHtml(result));
    if (options.json !== undefined && options.json !== '-') await writeFile(options.json, renderJson(result));
    if (options.csv !== undefined) {
      await mkdir(options.csv, { recursive: true });
      for (const file of renderCsv(result)) await writeFile(join(options.csv, file.name), file.content);
    }
  } catch (cause) {
    throw new UnusableInput(`The report could not be written: ${reasonOf(cause)}.`, { cause });
  }
}

async function isOurs(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new UnusableInput(`--json cannot write ${path}: ${reasonOf(error)}.`, { cause: error });
  });
  if (file === undefined) return true;
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(jsonStart.length), 0, jsonStart.length, 0);
    return bytesRead === 0 || buffer.toString('utf8', 0, bytesRead) === jsonStart;
  } finally {
    await file.close();
  }
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'the folder does not exist';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'it is not writable';
  if (code === 'ENOSPC') return 'the disk is full';
  if (code === 'EISDIR') return 'it is a folder';
  return code ?? String(cause);
}
