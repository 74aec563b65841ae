/** What NATS answers, classified once. */
import { ErrorCode, NatsError } from 'nats';
import { BusError } from './bus.ts';

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** No storage left (10047, 10122), or the stream or the account is at its limit (10077, 10023, 10028). */
const fullCodes = new Set([10047, 10122, 10077, 10023, 10028]);

/** `what` names the subject, bucket or stream. */
export function busErrorFrom(error: unknown, what: string): BusError {
  if (error instanceof BusError) return error;
  if (error instanceof NatsError && error.api_error) {
    const { code, err_code, description } = error.api_error;
    const message = `${what}: ${description}`;
    if (fullCodes.has(err_code ?? 0)) return new BusError('full', message, true, error);
    if (code >= 400 && code < 500) return new BusError('refused', message, false, error);
  }
  if (error instanceof NatsError && error.code === ErrorCode.MaxPayloadExceeded) {
    return new BusError('refused', `${what}: the value is larger than the server takes`, false, error);
  }
  return new BusError('unavailable', `${what}: ${messageOf(error)}`, true, error);
}
