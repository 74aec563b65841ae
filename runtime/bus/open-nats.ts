import { PicketError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type Bus, BusError } from './bus.ts';
import { connectNatsBus } from './nats-bus.ts';

/**
 * The bus of `--nats-url`.
 *
 * @throws PicketError Unavailable or Unsupported that names the flag
 */
export async function openNats(
  options: { url: string; user?: string | undefined; password?: string | undefined; name: string },
  log: Logger,
): Promise<Bus> {
  const { url, user, password, name } = options;
  try {
    return await connectNatsBus({
      servers: [url],
      connection: { ...(user ? { user } : {}), ...(password ? { pass: password } : {}), name },
      onTrouble: (what, error) => log.warn('bus trouble', { what, error }),
    });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    const code = error.code === 'unavailable' ? 'Unavailable' : 'Unsupported';
    throw new PicketError(code, `--nats-url: ${error.message}`, { cause: error });
  }
}
