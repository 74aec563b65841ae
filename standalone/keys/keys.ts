/** `picket keys`: the pseudonym keys of a data folder, whether or not a Picket runs on it. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import {
  type KeyRing,
  KeyRingError,
  readKeyRing,
  rotateKeyRing,
  saveKeyRing,
} from '@picket/analyzer/identify/key-ring.ts';
import { parseDurationMs } from '@picket/operator/compile/duration.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';

interface KeysOptions {
  data: string;
  output?: 'json';
}

/** Long enough for a weekly caller to come by. */
const defaultOverlap = '192h';

export function keysCommand(host: Host, clock: Clock): Command {
  const keys = new Command('keys').description('Rotate the pseudonym key of a data folder, and see how far that is.');
  const output = (): Option => new Option('-o, --output <format>').choices(['json']);
  keys
    .command('status')
    .description('Which key is in use since when, and until when the one before it is.')
    .requiredOption('--data <dir>', 'data folder')
    .addOption(output())
    .action((options: KeysOptions) => tell(host, ringOf(options.data), options, clock.now()));
  keys
    .command('rotate')
    .description('Put a new key into use. A running Picket takes it within seconds; who is known stays known.')
    .requiredOption('--data <dir>', 'data folder')
    .option('--overlap <duration>', 'how long the key before stays in use beside it', defaultOverlap)
    .addOption(output())
    .addHelpText(
      'after',
      `
Callers that come by within the overlap keep their profile, verdicts and decisions. Those that do not are strangers
afterwards, so let it be longer than the longest pause of the callers you care for. Then the old key is erased.
Copies of keys.json in backups still hold it: delete them too.
`,
    )
    .action(async (options: KeysOptions & { overlap: string }) => {
      const ring = rotated(options.data, options.overlap, clock.now());
      await tell(host, ring, options, clock.now());
    });
  return keys;
}

/** @throws PicketError InvalidConfig, NotFound or Conflict */
function rotated(data: string, overlap: string, now: number): KeyRing {
  const overlapMs = parseDurationMs(overlap);
  if (!overlapMs)
    throw new PicketError('InvalidConfig', `--overlap: "${overlap}" is not a duration such as 192h, 90m or 30s`);
  const ring = ringOf(data);
  if (ring.previous)
    throw new PicketError(
      'Conflict',
      now < ring.overlapUntilMs
        ? `a rotation is under way until ${iso(ring.overlapUntilMs)}; another one before would make strangers of callers that have not come by yet`
        : `the key before is not erased yet: start "picket up" on ${data} once, or wait a moment`,
    );
  const next = rotateKeyRing(ring, (count) => randomBytes(count), now, overlapMs);
  saveKeyRing(join(data, 'keys.json'), next);
  return next;
}

/** @throws PicketError InvalidConfig or NotFound */
function ringOf(data: string): KeyRing {
  const path = join(data, 'keys.json');
  try {
    const ring = readKeyRing(path);
    if (ring) return ring;
  } catch (error) {
    if (!(error instanceof KeyRingError)) throw error;
    throw new PicketError('InvalidConfig', error.message, { cause: error });
  }
  throw new PicketError('NotFound', `${path} does not exist; "picket up --data ${data}" makes it`);
}

/** Never the secrets. */
async function tell(host: Host, ring: KeyRing, { output }: KeysOptions, now: number): Promise<void> {
  const { active, previous, overlapUntilMs } = ring;
  if (output === 'json') {
    const shown = {
      active: { id: active.id, createdAt: iso(active.createdAtMs) },
      ...(previous ? { previous: { id: previous.id, until: iso(overlapUntilMs) } } : {}),
    };
    await host.out(`${JSON.stringify(shown, null, 2)}\n`);
    return;
  }
  const over = now >= overlapUntilMs ? 'to be erased since' : 'in use beside it until';
  await host.out(
    `key ${active.id}, in use since ${iso(active.createdAtMs)}\n${
      previous ? `key ${previous.id}, ${over} ${iso(overlapUntilMs)}\n` : ''
    }`,
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
