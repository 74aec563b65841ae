import { setTimeout as sleep } from 'node:timers/promises';
import { PicketError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type Bus, BusError } from './bus.ts';
import { connectNatsBus } from './nats-bus.ts';

const retryMs = 1_000;

/** What to do while no server answers. */
export interface NatsWait {
  /** Told why, at each attempt. */
  onWaiting(reason: string): void;
  signal: AbortSignal;
}

/**
 * The bus of `--nats-url`.
 *
 * @param wait until a server answers; without it that none does is an error
 * @throws PicketError Unavailable or Unsupported that names the flag
 */
export async function openNats(
  options: { url: string; user?: string | undefined; password?: string | undefined; name: string },
  log: Logger,
  wait?: NatsWait,
): Promise<Bus> {
  const { url, user, password, name } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await connectNatsBus({
        servers: [url],
        connection: { ...(user ? { user } : {}), ...(password ? { pass: password } : {}), name },
        onTrouble: (what, error) => log.warn('bus trouble', { what, error }),
      });
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      const code = error.code === 'unavailable' ? 'Unavailable' : 'Unsupported';
      if (code === 'Unsupported' || !wait || wait.signal.aborted)
        throw new PicketError(code, `--nats-url: ${error.message}`, { cause: error });
      if (attempt === 0) log.warn('waiting for NATS', { error });
      wait.onWaiting(error.message);
      await sleep(retryMs, undefined, { signal: wait.signal }).catch(() => undefined);
    }
  }
}
