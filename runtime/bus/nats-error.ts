/** What NATS answers, classified once. */
import { NatsError } from 'nats';
import { BusError } from './bus.ts';

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** No storage left (10047, 10122), or the stream or the account is at its limit (10077, 10023, 10028). */
const fullCodes = new Set([10047, 10122, 10077, 10023, 10028]);

/** `what` names the subject, bucket or stream. */
export function busErrorFrom(error: unknown, what: string): BusError {
  if (error instanceof BusError) return error;
  const message = `${what}: ${messageOf(error)}`;
  if (error instanceof NatsError && error.api_error) {
    const { code, err_code } = error.api_error;
    if (fullCodes.has(err_code ?? 0)) return new BusError('full', message, true, error);
    if (code >= 400 && code < 500) return new BusError('refused', message, false, error);
  }
  return new BusError('unavailable', message, true, error);
}
