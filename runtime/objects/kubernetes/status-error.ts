/** `Status` of the Kubernetes API as our one error type. */
import { type ErrorCode, PicketError } from '../../errors.ts';

/** What the API server says when it refuses; every field may be absent. */
export interface Status {
  code?: number;
  reason?: string;
  message?: string;
  details?: { retryAfterSeconds?: number };
}

const codes: Record<number, ErrorCode> = {
  400: 'InvalidObject',
  401: 'PermissionDenied',
  403: 'PermissionDenied',
  404: 'NotFound',
  405: 'Unsupported',
  406: 'Unsupported',
  409: 'Conflict',
  413: 'Capacity',
  415: 'Unsupported',
  422: 'InvalidObject',
  429: 'Unavailable',
  500: 'Unavailable',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Timeout',
};

/** Too old to go on from: the objects must be listed again. */
export const EXPIRED = 'Expired';

/** A field that the installed definition does not have; the server calls it a failure of its own. */
export const UNKNOWN_FIELD = 'UnknownField';

export function errorOfStatus(status: Status, doing: string, retryAfter?: number): PicketError {
  const code = status.code ?? 500;
  const said = status.message ?? 'no reason given';
  if (code === 410) return new PicketError('Unavailable', `${doing}: ${said}`, { reason: EXPIRED, retriable: false });
  if (said.includes('field not declared in schema'))
    return new PicketError('InvalidObject', `${doing}: ${said}`, { reason: UNKNOWN_FIELD });
  const error = new PicketError(codes[code] ?? 'Unavailable', `${doing}: ${said}`, {
    ...(status.reason ? { reason: status.reason } : {}),
    // A body that is too large stays too large.
    ...(code === 413 ? { retriable: false } : {}),
  });
  const wait = retryAfter ?? (status.details?.retryAfterSeconds ?? 0) * 1000;
  if (wait > 0) waits.set(error, wait);
  return error;
}

/** The server's word on when to come back; milliseconds, 0 = it gave none. */
export function retryAfterMs(error: PicketError): number {
  return waits.get(error) ?? 0;
}

const waits = new WeakMap<PicketError, number>();
