/** `picket analyze` as a person runs it: a process, its exit code, what it prints, and Ctrl-C. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { AnalyzeResult } from '@picket/standalone/analyze/result.ts';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attackers } from '../scenarios/sites/attackers.ts';
import { everydaySites } from '../scenarios/sites/everyday-sites.ts';
import { nodeBinary, repositoryRoot } from '../support/tools.ts';

let folder: string;
let lines: string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'analyze-command-'));
  const site = everydaySites.halfMinute(41);
  attackers.find((a) => a.name.startsWith('secrets'))?.attack(site, site.from + 9_000);
  lines = site.log.combined().split('\n').slice(0, -1);
  writeFileSync(join(folder, 'whole.log'), `${lines.join('\n')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const matchesSchema = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(join(repositoryRoot, 'docs/reference/analyze.schema.json'), 'utf8')),
);

interface Ended {
  code: number;
  out: string;
  err: string;
}

function picket(args: string[], act?: (child: ReturnType<typeof spawn>) => void): Promise<Ended> {
  const child = spawn(nodeBinary, [main, 'analyze', '--no-progress', ...args], { cwd: folder });
  const ended: Ended = { code: -1, out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (ended.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (ended.err += chunk.toString()));
  if (act) act(child);
  else child.stdin.end();
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ended, code: code ?? -1 }));
  });
}

const json = async (args: string[], act?: Parameters<typeof picket>[1]): Promise<AnalyzeResult> => {
  const { code, out, err } = await picket([...args, '--json'], act);
  expect([code, err]).toEqual([0, '']);
  const result = JSON.parse(out) as AnalyzeResult;
  matchesSchema(result);
  expect(matchesSchema.errors ?? []).toEqual([]);
  return result;
};

describe('unusable input exits with 2 and one sentence', () => {
  it.each([
    ['an empty file', ['empty'], 'empty is empty'],
    ['noise', ['noise'], 'no access record in the beginning of noise; name the format with --format'],
    ['a folder', ['rotated'], 'rotated is a directory; name its files, for example rotated/*.log'],
    ['nothing there', ['gone.log'], 'gone.log does not exist'],
    [
      'another format',
      ['whole.log', '--format', 'haproxy'],
      'Nothing in whole.log is an access record of --format haproxy',
    ],
    ['no manifests', ['whole.log', '--manifests', 'gone'], '--manifests: there is no folder gone'],
    [
      'a time without requests',
      ['whole.log', '--since', '2031-01-01'],
      'No request lies in the chosen time; the log goes from ',
    ],
  ])('%s', async (_, args, sentence) => {
    writeFileSync(join(folder, 'empty'), '');
    writeFileSync(join(folder, 'noise'), Buffer.from(Array.from({ length: 9_000 }, (_x, i) => (i * 7919) % 251)));
    mkdirSync(join(folder, 'rotated'), { recursive: true });
    const { code, out, err } = await picket(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^picket analyze: [^\n]+\n$/);
    expect(err).toContain(sentence);
  });
});

/** Root may read everything: there it is another user who may not, if that one can start the checkout at all. */
const asSomebody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const main = join(repositoryRoot, 'standalone/main.ts');
const barred = spawnSync(nodeBinary, [main, '--version'], asSomebody).status !== 0;

it.skipIf(barred)('names a file that may not be read (needs a checkout that others may read)', () => {
  const secret = join(folder, 'secret');
  chmodSync(folder, 0o755);
  mkdirSync(secret, { mode: 0o755 });
  writeFileSync(join(secret, 'own.log'), 'x', { mode: 0 });
  const read = () =>
    spawnSync(nodeBinary, [main, 'analyze', join(secret, 'own.log')], { ...asSomebody, encoding: 'utf8' });
  const sentence = `picket analyze: ${join(secret, 'own.log')} cannot be read: permission denied\n`;
  expect(read()).toMatchObject({ status: 2, stdout: '', stderr: sentence });
  // Nor a file whose folder may not be entered: it is there all the same.
  chmodSync(secret, 0);
  expect(read()).toMatchObject({ status: 2, stdout: '', stderr: sentence });
  chmodSync(secret, 0o755);
});

it('ends quietly when nobody reads on, as after `| head`', async () => {
  for (const args of [['--help'], ['up', '--help'], ['analyze', 'whole.log']]) {
    const child = spawn(nodeBinary, [main, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([args, code, err]).toEqual([args, 0, '']);
  }
});

it('reads a rotated set of gzip, zstd and plain with BOM, CRLF and a cut last line as the one log it was', async () => {
  const third = Math.floor(lines.length / 3);
  mkdirSync(join(folder, 'rotated'), { recursive: true });
  const put = (name: string, data: string | Buffer): void => writeFileSync(join(folder, 'rotated', name), data);
  put('access.log.2.gz', gzipSync(`${lines.slice(0, third).join('\n')}\n`));
  put('access.log.1.zst', zstdCompressSync(`${lines.slice(third, 2 * third).join('\n')}\n`));
  put(
    'access.log',
    `\ufeff${lines.slice(2 * third).join('\r\n')}\r\n1.2.3.4 - - [06/May/2024:00:00:09 +0000] "GET /cu`,
  );
  const whole = await json(['whole.log']);
  const rotated = await json(['rotated/access.log*']);
  expect(rotated.requests).toBe(lines.length);
  expect(rotated.rejected.map((r) => r.reason)).toEqual(['truncated']);
  expect(rotated.operations).toEqual(whole.operations);
  const told = (r: AnalyzeResult) => r.verdicts.map((v) => [v.principal.value, v.level, v.firstSeen, v.requests]);
  expect(told(rotated)).toEqual(told(whole));
  expect(told(whole)).toHaveLength(1);
});

it('reads standard input, and exits with 3 at the level of --fail-on', async () => {
  const { code, out } = await picket(['-', '--fail-on', 'High'], (child) => {
    child.stdin?.end(readFileSync(join(folder, 'whole.log')));
  });
  expect(code).toBe(3);
  expect(out).toContain('stdin:');
});

it('Ctrl-C prints the report of what was read so far', async () => {
  const { code, out, err } = await picket(['-'], (child) => {
    // A pipe that never ends, as of `tail -f`.
    child.stdin?.on('error', () => {});
    let sent = 0;
    const feed = setInterval(() => {
      for (let i = 0; i < 100 && sent < 60_000; i++) child.stdin?.write(`${lines[sent++ % lines.length] ?? ''}\n`);
      // A machine under load may take a while to begin: what is written must have been taken.
      if (sent < 60_000 || child.stdin?.writableLength !== 0) return;
      clearInterval(feed);
      setTimeout(() => child.kill('SIGINT'), 4_000);
    }, 1);
  });
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^Picket · [\d,]+ requests/);
  expect(out).toMatch(/interrupt|so far|stopped/i);
});
