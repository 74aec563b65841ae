/** Every failure is classified once; log field, metric label, condition reason and exit code come from the same object. */

export const errorCodes = {
  Usage: { retriable: false, exitCode: 2, meaning: 'The command line is wrong: unknown command, flag or value.' },
  InvalidConfig: {
    retriable: false,
    exitCode: 3,
    meaning: 'A flag, environment variable or file of settings is wrong.',
  },
  InvalidObject: { retriable: false, exitCode: 3, meaning: 'A manifest is not valid.' },
  AddressInUse: { retriable: false, exitCode: 4, meaning: 'Another process listens on the address.' },
  PermissionDenied: { retriable: false, exitCode: 5, meaning: 'The operating system or a server refused access.' },
  NotFound: { retriable: false, exitCode: 6, meaning: 'What was asked for does not exist.' },
  Conflict: { retriable: false, exitCode: 7, meaning: 'Somebody else owns or holds what should be changed.' },
  Unavailable: { retriable: true, exitCode: 8, meaning: 'A server, store or bus cannot be reached now.' },
  Timeout: { retriable: true, exitCode: 8, meaning: 'Something took longer than its bound.' },
  Capacity: { retriable: true, exitCode: 8, meaning: 'A bound is reached: disk full, too many objects, too large.' },
  Corrupt: { retriable: false, exitCode: 9, meaning: 'Stored state cannot be read; it was set aside.' },
  NotReproducible: { retriable: false, exitCode: 10, meaning: 'A replay lacks rows, inputs or the same build.' },
  Unsupported: { retriable: false, exitCode: 11, meaning: 'The version of a neighbour or file is not supported.' },
  Unhealthy: { retriable: false, exitCode: 12, meaning: 'A check found something that must be fixed.' },
  Cancelled: { retriable: false, exitCode: 130, meaning: 'A person or the system stopped the work.' },
  Internal: { retriable: false, exitCode: 1, meaning: 'A defect of Picket; please report it.' },
} as const satisfies Record<string, { retriable: boolean; exitCode: number; meaning: string }>;

export type ErrorCode = keyof typeof errorCodes;

/** The one error type. `message` names the field or thing and the fix; it never holds a secret or a raw identity. */
export class PicketError extends Error {
  readonly code: ErrorCode;
  /** CamelCase, fit for a condition. */
  readonly reason: string;
  readonly retriable: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { reason?: string; retriable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PicketError';
    this.code = code;
    this.reason = options.reason ?? code;
    this.retriable = options.retriable ?? errorCodes[code].retriable;
  }
}

const systemCodes: Record<string, ErrorCode> = {
  EADDRINUSE: 'AddressInUse',
  EACCES: 'PermissionDenied',
  EPERM: 'PermissionDenied',
  EROFS: 'PermissionDenied',
  ENOENT: 'NotFound',
  ENOSPC: 'Capacity',
  EDQUOT: 'Capacity',
  EMFILE: 'Capacity',
  ENFILE: 'Capacity',
  ECONNREFUSED: 'Unavailable',
  ECONNRESET: 'Unavailable',
  EPIPE: 'Unavailable',
  EHOSTUNREACH: 'Unavailable',
  ENOTFOUND: 'Unavailable',
  EAI_AGAIN: 'Unavailable',
  ETIMEDOUT: 'Timeout',
  ABORT_ERR: 'Cancelled',
};

/** Classifies what was thrown by others; what is a `PicketError` already stays as it is. */
export function toPicketError(thrown: unknown, doing: string): PicketError {
  if (thrown instanceof PicketError) return thrown;
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
  const systemCode = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  const byName: Record<string, ErrorCode> = { AbortError: 'Cancelled', TimeoutError: 'Timeout' };
  const code = systemCodes[systemCode] ?? byName[cause.name] ?? 'Internal';
  return new PicketError(code, `${doing}: ${cause.message}`, { cause });
}

/** Exit code of a process that ends with this error. */
export function exitCodeOf(thrown: unknown): number {
  return thrown instanceof PicketError ? errorCodes[thrown.code].exitCode : errorCodes.Internal.exitCode;
}
