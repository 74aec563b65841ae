/**
 * Fuzzes every parser that meets bytes from outside: `npm run fuzz -- --help`. Without `--inputs` the long mode: ten million inputs, shared by what each parser costs. What breaks one is written to
 * `.tools/fuzz`, with the command that repeats it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@picket/runtime/clock.ts';
import { toolCommand, wholeNumber } from '../support/tool-command.ts';
import { fuzz } from './fuzz.ts';
import { shareOf, targetNames, targets } from './targets.ts';

const longInputs = 10_000_000;
const folder = '.tools/fuzz';

const {
  only,
  inputs: asked,
  seed,
  from,
  out,
} = toolCommand('npm run fuzz --', 'Fuzzes every parser that meets bytes from outside.')
  .option('--only <name...>', `one of ${targetNames.join(', ')}`)
  .option('--inputs <n>', `inputs for each parser; without it ${longInputs.toLocaleString('en')} in all`, wholeNumber)
  .option('--seed <n>', 'inputs follow from it', wholeNumber, 1)
  .option('--from <n>', 'number of the first input, to repeat a finding', wholeNumber, 0)
  .option('--out <file>', 'write the counts as JSON')
  .parse()
  .opts<{ only?: string[]; inputs?: number; seed: number; from: number; out?: string }>();
const names = only ?? targetNames;
const unknown = names.filter((name) => !targetNames.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`fuzz: no parser is called ${unknown.join(', ')}; there are ${targetNames.join(', ')}\n`);
  process.exit(2);
}
const stopping = new AbortController();
process.once('SIGINT', () => stopping.abort());
process.once('SIGTERM', () => stopping.abort());

let broken = 0;
const counts: Record<string, { inputs: number; bytes: number; findings: number; cpuSeconds: number }> = {};
for (const name of names) {
  const target = await targets(name);
  const inputs = asked ?? Math.ceil(longInputs * shareOf(name));
  const before = process.cpuUsage();
  let toldAt = systemClock.elapsed();
  const report = await fuzz(target, {
    seed,
    from,
    inputs,
    stop: stopping.signal,
    onProgress(done) {
      if (!process.stderr.isTTY && systemClock.elapsed() - toldAt < 30_000) return;
      toldAt = systemClock.elapsed();
      process.stderr.write(
        `${process.stderr.isTTY ? '\r' : ''}${name}: ${done} of ${inputs}${process.stderr.isTTY ? '' : '\n'}`,
      );
    },
  });
  await target.close?.();
  const cpu = process.cpuUsage(before);
  const cpuSeconds = Number(((cpu.user + cpu.system) / 1e6).toFixed(1));
  counts[name] = { inputs: report.inputs, bytes: report.bytes, findings: report.findings.length, cpuSeconds };
  process.stdout.write(
    `${name.padEnd(12)} ${String(report.inputs).padStart(9)} inputs  ${String(report.bytes).padStart(12)} bytes  ` +
      `${String(cpuSeconds).padStart(7)} CPU s  ${report.findings.length} findings\n`,
  );
  for (const { index, input, error } of report.findings) {
    broken++;
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${name}-${seed}-${index}.bin`);
    writeFileSync(file, input);
    process.stdout.write(
      `  ${error.stack ?? error.message}\n  input: ${file} (${input.length} bytes)\n` +
        `  again: npm run fuzz -- --only ${name} --seed ${seed} --from ${index} --inputs 1\n`,
    );
  }
  if (stopping.signal.aborted) break;
}
const total = Object.values(counts).reduce((sum, { inputs }) => sum + inputs, 0);
process.stdout.write(`${total} inputs, ${broken} findings\n`);
if (out !== undefined) writeFileSync(out, `${JSON.stringify({ version: 1, seed, from, counts }, null, 2)}\n`);
process.exit(broken > 0 ? 1 : 0);
