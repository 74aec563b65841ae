/** Writes the reports that were asked for, and says before the work begins when it could not. */
import { constants } from 'node:fs';
import { access, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { LogInference } from '@picket/analyzer/logs/infer.ts';
import { starterManifests } from '@picket/analyzer/logs/starter-manifests.ts';
import { makeFolder } from '@picket/runtime/make-folder.ts';
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
  for (const [flag, folder] of [
    ['--csv', options.csv],
    ['--manifests-out', options.manifestsOut],
  ] as const) {
    if (folder === undefined) continue;
    try {
      await makeFolder(resolve(folder));
      await access(folder, constants.W_OK);
    } catch (cause) {
      throw new UnusableInput(`${flag} cannot write ${folder}: ${reasonOf(cause)}.`, { cause });
    }
  }
}

/** JSON for standard output is the caller's to print. */
export async function writeReports(result: AnalyzeResult, options: AnalyzeOptions): Promise<void> {
  const { html, json, csv } = options;
  if (html !== undefined) await write('The report', html, renderHtml(result));
  if (json !== undefined && json !== '-') await write('The report', json, renderJson(result));
  if (csv === undefined) return;
  for (const file of renderCsv(result)) await write('The report', join(csv, file.name), file.content);
}

/**
 * What `--manifests-out` asks for. A file that is there and says something else has been corrected by somebody: it stays.
 * Returns those, as sentences.
 */
export async function writeManifests(folder: string, inference: LogInference): Promise<string[]> {
  await makeFolder(folder);
  const kept: string[] = [];
  for (const { name, content } of starterManifests(inference)) {
    const path = join(folder, name);
    const there = await readFile(path, 'utf8').catch(() => content);
    if (there === content) await write('A manifest', path, content);
    else kept.push(`${path} was left as it is: it says something else than this log; remove it or name another folder`);
  }
  return kept;
}

async function write(what: string, path: string, content: string): Promise<void> {
  await writeFile(path, content).catch((cause: unknown) => {
    throw new UnusableInput(`${what} could not be written to ${path}: ${reasonOf(cause)}.`, { cause });
  });
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
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'a file has that name';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'it is not writable';
  if (code === 'ENOSPC') return 'the disk is full';
  if (code === 'EISDIR') return 'it is a folder';
  return code ?? String(cause);
}
