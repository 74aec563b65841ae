import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnalyzeHost, analyzeCommand, type RunAnalyze } from './command.ts';
import type { AnalyzeOptions } from './options.ts';
import { attackedShop, attacker, quietShop } from './testing/shop-day.ts';
import { UnusableInput } from './unusable-input.ts';

/** A file that exists and does not end in .json. */
const here = fileURLToPath(import.meta.url);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'analyze-command-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function picket(args: string[], run: RunAnalyze = async () => attackedShop()) {
  const seen = { out: '', err: '', code: -1, options: undefined as AnalyzeOptions | undefined, interrupt: () => {} };
  const host: AnalyzeHost = {
    print: async (text) => {
      seen.out += text;
    },
    complain: (text) => {
      seen.err += text;
    },
    columns: 100,
    colour: false,
    onInterrupt: (stop) => {
      seen.interrupt = stop;
      return () => {};
    },
    setExitCode: (code) => {
      seen.code = code;
    },
  };
  const command = analyzeCommand((options, stop) => {
    seen.options = options;
    const result = run(options, stop);
    seen.interrupt();
    return result;
  }, host).configureOutput({
    writeErr: host.complain,
    writeOut: (text) => {
      seen.out += text;
    },
  });
  try {
    await new Command('picket')
      .exitOverride()
      .addCommand(command)
      .parseAsync(['analyze', ...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    seen.code = error.exitCode;
  }
  return seen;
}

describe('picket analyze', () => {
  it('prints the report and exits 0', async () => {
    const seen = await picket(['access.log']);
    expect(seen.code).toBe(0);
    expect(seen.out).toContain('Worth a look: 1 Critical');
    expect(seen.options).toEqual({ files: ['access.log'], top: 10, pseudonymise: false, progress: true });
  });

  it('takes every flag', async () => {
    const { options } = await picket([
      'a.log',
      'b*.log',
      '--format=regex:(?<ip>.*)',
      `--manifests-out=${folder}`,
      '--top=3',
      '--since=2026-03-01',
      '--until=2026-03-02T06:30+02:00',
      '--api=shop',
      '--principal=bob',
      '--pseudonymize',
      '--fail-on=high',
      '--workers=2',
      '--no-progress',
    ]);
    expect(options).toEqual({
      files: ['a.log', 'b*.log'],
      format: 'regex:(?<ip>.*)',
      manifestsOut: folder,
      top: 3,
      sinceMs: Date.UTC(2026, 2, 1),
      untilMs: Date.UTC(2026, 2, 2, 4, 30),
      api: 'shop',
      principal: 'bob',
      pseudonymise: true,
      failOn: 'High',
      workers: 2,
      progress: false,
    });
  });

  it('takes manifests', async () => {
    expect((await picket(['a.log', '--manifests', 'm'])).options).toMatchObject({ files: ['a.log'], manifests: 'm' });
  });

  it.each([
    [['--json', 'in.json'], ['in.json'], '-'],
    [['in.log', '--json'], ['in.log'], '-'],
    [['in.log', '--json', here], [here, 'in.log'], '-'],
    [['in.log', '--json', '-'], ['in.log'], '-'],
    [['--top', '5', '--json', '-'], ['-'], '-'],
    [['-', '--json', '--top', '5'], ['-'], '-'],
  ])('reads %j without taking a log for an output', async (args, files, json) => {
    const seen = await picket(args);
    expect(seen.options).toMatchObject({ files, json });
    expect(JSON.parse(seen.out)).toMatchObject({ version: 1, requests: 24_420 });
  });

  it('writes JSON, HTML and CSV beside the terminal report', async () => {
    const at = (name: string) => join(folder, name);
    const args = ['in.log', '--json', at('r.json'), '--html', at('r.html'), '--csv', at('tables')];
    const seen = await picket(args);
    expect(seen.code).toBe(0);
    expect(seen.out).toContain('Worth a look');
    expect(JSON.parse(readFileSync(at('r.json'), 'utf8')).version).toBe(1);
    expect(readFileSync(at('r.html'), 'utf8')).toContain('<!doctype html>');
    expect(readdirSync(at('tables')).sort()).toEqual(['findings.csv', 'operations.csv', 'series.csv', 'verdicts.csv']);
    expect((await picket(args)).code).toBe(0);
  });

  it('does not write over data that is not its own', async () => {
    const log = join(folder, 'envoy.json');
    writeFileSync(log, '{"status":200}\n');
    const seen = await picket(['in.log', '--json', log]);
    expect(seen).toMatchObject({ code: 2, options: undefined });
    expect(seen.err).toMatch(/would write over .* not a Picket report; put --json last to print it\.\n$/);
    expect((await picket([log, `--html=${log}`])).err).toMatch(/would write over the input/);
    expect(readFileSync(log, 'utf8')).toBe('{"status":200}\n');
  });

  it('complains in one sentence before reading when a report has nowhere to go', async () => {
    const seen = await picket(['in.log', '--html', join(folder, 'no', 'r.html')]);
    expect(seen).toMatchObject({ code: 2, options: undefined, out: '' });
    expect(seen.err).toMatch(/^picket analyze: --html cannot write .*: the folder does not exist\.\n$/);
  });

  it.each(['--csv', '--manifests-out'])(
    'makes the folder of %s before reading, or says why it cannot',
    async (flag) => {
      const file = join(folder, 'file');
      writeFileSync(file, '');
      for (const path of [file, join(file, 'inside')]) {
        const seen = await picket(['in.log', flag, path]);
        expect(seen).toMatchObject({ code: 2, options: undefined, out: '' });
        expect(seen.err).toBe(`picket analyze: ${flag} cannot write ${path}: a file has that name.\n`);
      }
      expect((await picket(['in.log', flag, join(folder, 'a/b')])).code).toBe(0);
      expect(readdirSync(join(folder, 'a'))).toEqual(['b']);
    },
  );

  it.each([
    [[]],
    [['a', '--top', '0']],
    [['a', '--fail-on', 'none']],
    [['a', '--since', 'yesterday']],
    [['a', '--since', '2026-02-30']],
    [['a', '--since', '2026-03-02', '--until', '2026-03-01']],
    [['a', '--nonsense']],
    [['a', '--manifests', 'm', '--manifests-out', 'n']],
  ])('exits 2 on %j', async (args) => {
    const seen = await picket(args);
    expect(seen.code).toBe(2);
    expect(seen.err).not.toBe('');
    expect(seen.options).toBeUndefined();
  });

  it('exits 0 after --help, which shows examples and exit codes', async () => {
    const seen = await picket(['--help']);
    expect(seen.code).toBe(0);
    expect(seen.out).toMatch(/Examples:[\s\S]*Exit codes: 0/);
  });

  it('exits 2 with the sentence of unusable input, made safe to print', async () => {
    const seen = await picket(['in.log'], async () => {
      throw new UnusableInput('in.log holds \u001b[31mno requests.');
    });
    expect(seen).toMatchObject({ code: 2, err: 'picket analyze: in.log holds \\x1b[31mno requests.\n' });
  });

  it('lets bugs through', async () => {
    const bug = picket(['in.log'], async () => {
      throw new TypeError('bug');
    });
    await expect(bug).rejects.toThrow(TypeError);
  });

  it('exits 3 when a principal reached the level, by its peak', async () => {
    expect((await picket(['a', '--fail-on', 'Critical'])).code).toBe(3);
    expect((await picket(['a', '--fail-on', 'Low'], async () => quietShop())).code).toBe(0);
  });

  it('stops the run on Ctrl-C and prints what there is', async () => {
    const seen = await picket(
      ['a'],
      (_, stop) =>
        new Promise((done) => {
          stop.addEventListener('abort', () => done({ ...attackedShop(), interrupted: true }));
        }),
    );
    expect(seen.code).toBe(0);
    expect(seen.out).toContain('Stopped before the end of the input');
  });

  it('still finds a principal by value when values are hidden, and does not print it', async () => {
    const seen = await picket(['a', '--pseudonymise', '--principal', '203.0.113.7']);
    expect(seen.out).toContain(`Address ${attacker}`);
    expect(seen.out).not.toContain('203.0.113.7');
  });

  it('names the APIs there are when asked for another', async () => {
    const seen = await picket(['a', '--api', 'payments']);
    expect(seen).toMatchObject({ code: 2, err: expect.stringContaining('there are default/shop-example-com') });
  });
});
