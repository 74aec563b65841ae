/** Progress on stderr: one line that rewrites itself on a terminal, a plain line now and then elsewhere. */
import type { Clock } from '@picket/runtime/clock.ts';
import { fit } from './text.ts';
import { countText, durationText } from './units.ts';

export interface Progress {
  /** Bytes read so far (of the files as they lie on disk) and lines understood; draws at most ten times a second. */
  update(bytes: number, lines: number): void;
  /** Clears the bar. Writes nothing else. */
  end(): void;
}

export interface ProgressOptions {
  /** `null` when a stream is read. */
  totalBytes: number | null;
  clock: Clock;
  tty: boolean;
  columns: number;
  write(text: string): void;
}

const redrawMs = 100;
const plainEveryMs = 10_000;
/** A rate over less than this is noise. */
const rateAfterMs = 500;

export const noProgress: Progress = { update() {}, end() {} };

export function createProgress(options: ProgressOptions): Progress {
  const { clock, totalBytes, tty } = options;
  const startedAt = clock.elapsed();
  let drawnAt = tty ? Number.NEGATIVE_INFINITY : startedAt;
  let drawn = false;

  return {
    update(bytes, lines) {
      const now = clock.elapsed();
      if (now - drawnAt < (tty ? redrawMs : plainEveryMs)) return;
      drawnAt = now;
      const text = progressText(bytes, lines, totalBytes, now - startedAt);
      if (!tty) {
        options.write(`${text}\n`);
        return;
      }
      const room = options.columns - 1;
      const bar = totalBytes === null || room < 60 ? '' : `${drawBar(bytes / Math.max(1, totalBytes))} `;
      options.write(`\r${fit(bar + text, room)}\x1b[K`);
      drawn = true;
    },
    end() {
      if (drawn) options.write('\r\x1b[K');
      drawn = false;
    },
  };
}

/** "42 %  123,456 lines  31,000/s  3 min left" */
export function progressText(bytes: number, lines: number, totalBytes: number | null, elapsedMs: number): string {
  const parts = [`${countText(lines)} lines`];
  const share = totalBytes === null || totalBytes <= 0 ? undefined : Math.min(1, bytes / totalBytes);
  if (share !== undefined) parts.unshift(`${String(Math.floor(share * 100)).padStart(3)} %`);
  if (elapsedMs >= rateAfterMs) {
    parts.push(`${countText((lines * 1000) / elapsedMs)}/s`);
    if (share !== undefined && share > 0 && share < 1)
      parts.push(`${durationText((elapsedMs * (1 - share)) / share)} left`);
  }
  return parts.join('  ');
}

function drawBar(share: number): string {
  const cells = 24;
  const full = Math.round(Math.max(0, Math.min(1, share)) * cells);
  return `${'█'.repeat(full)}${'░'.repeat(cells - full)}`;
}
