/**
 * `make demo`: Picket's whole path on a real Envoy, told in the terminal.
 *
 * Exit code 0 when everything happened, 1 when something did not or the run was interrupted, 2 for a wrong call.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { toolCommand } from '../support/tool-command.ts';
import { findTool } from '../support/tools.ts';
import { createScreen } from './screen.ts';
import { tellStory } from './story.ts';

const screen = createScreen(process.stdout, () => performance.now());

const {
  seed = String(randomInt(1, 1_000_000)),
  keep = false,
  json,
} = toolCommand('make demo', 'Picket\'s whole path on a real Envoy, told in the terminal. Options go into ARGS="…".')
  .option('--seed <text>', 'the people and attackers of an earlier run; their day follows the clock')
  .option('--keep', 'leave everything running at the end, until interrupted')
  .option('--json <file>', 'write the result as JSON')
  .parse()
  .opts<{ seed?: string; keep?: boolean; json?: string }>();
const { missing } = findTool('envoy');
if (missing !== undefined) {
  process.stderr.write(`${missing}\n`);
  process.exit(2);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());

try {
  const result = await tellStory({
    seed,
    screen,
    signal: interrupted.signal,
    now: () => performance.timeOrigin + performance.now(),
    ...(keep ? { beforeStop: waitForInterrupt } : {}),
  });
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  process.exitCode = result.ok ? 0 : 1;
} catch (error) {
  screen.settle();
  const why = interrupted.signal.aborted ? 'interrupted' : error instanceof Error ? error.message : String(error);
  process.stderr.write(`the demo broke off: ${why}\n`);
  process.exitCode = 1;
}

async function waitForInterrupt(where: { trafficUrl: string; adminUrl: string; folder: string }): Promise<void> {
  screen.line('\nEverything keeps running until you press Ctrl-C:');
  screen.line(`  the shop behind Envoy  ${where.trafficUrl}/v1/products`);
  screen.line(`  Picket                 ${where.adminUrl}/`);
  screen.line(`  logs and data          ${where.folder}`);
  screen.line(`  npx picket risk top --admin ${where.adminUrl}`);
  const { signal } = interrupted;
  if (!signal.aborted) await once(signal, 'abort');
}
