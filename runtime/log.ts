import { pino } from 'pino';
import type { Clock } from './clock.ts';
import { PicketError } from './errors.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Fields of a log line. Names are camelCase with units; values that look like secrets are redacted all the same. */
export type LogFields = Record<string, unknown>;

/** What everything but `main.ts` knows of logging. Messages are constant, details go in fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields`. */
  with(fields: LogFields): Logger;
}

export interface LogOptions {
  level: LogLevel;
  /** `json` for machines, `text` for a person at a terminal. */
  format: 'json' | 'text';
  clock: Clock;
  destination: { write(line: string): unknown };
  /** Name of the process: analyzer, operator, standalone. */
  component: string;
  /** Colours in `text`. */
  color?: boolean;
}

export function createLogger(options: LogOptions): Logger {
  const { destination } = options;
  const sink =
    options.format === 'json'
      ? { write: (line: string) => void destination.write(line) }
      : { write: (line: string) => void destination.write(renderText(line, options.color === true)) };
  const log = pino(
    {
      level: options.level,
      base: { component: options.component },
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(options.clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return wrap((level, message, fields) => log[level](redact(fields, 0), message), {});
}

/** For tests and for callers that want silence. */
export const silentLogger: Logger = wrap(() => undefined, {});

function wrap(write: (level: LogLevel, message: string, fields: LogFields) => void, always: LogFields): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) =>
      write(level, message, { ...always, ...fields });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => wrap(write, { ...always, ...fields }),
  };
}

const secretName =
  /^(authorization|proxy-authorization|cookie|set-cookie|x-api-key|.*(password|passwd|secret|credential|credentials|token|api_?key|private_?key))$/i;
const MAX_DEPTH = 5;
const MAX_ITEMS = 50;
const MAX_TEXT = 4096;

/** Copies fields with secrets blanked and sizes bounded: a log line must not leak, and must not be a megabyte. */
function redact(fields: LogFields, depth: number): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      secretName.test(name) ? '[redacted]' : redactValue(value, depth),
    ]),
  );
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return depth >= MAX_DEPTH ? '…' : errorFields(value, depth + 1);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) {
    const shown = value.slice(0, MAX_ITEMS).map((item) => redactValue(item, depth + 1));
    return value.length > MAX_ITEMS ? [...shown, `… ${value.length - MAX_ITEMS} more`] : shown;
  }
  return redact(value as LogFields, depth + 1);
}

function redactText(text: string): string {
  const bounded = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… ${text.length - MAX_TEXT} more` : text;
  return bounded
    .replace(/:\/\/[^/\s@]+@/g, '://[redacted]@')
    .replace(/\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}/g, '$1 [redacted]');
}

/** A failure that was classified where it arose says all there is to say; the rest needs to be traced. */
function errorFields(error: Error, depth: number): LogFields {
  const { code, reason, retriable } = error as Partial<PicketError>;
  const isClassified = typeof code === 'string' && typeof retriable === 'boolean' && code !== 'Internal';
  const { cause } = error;
  const tellsMore = cause !== undefined && !(cause instanceof Error && cause.message === error.message);
  return {
    ...(isClassified || error instanceof PicketError
      ? { code, ...(reason === undefined ? {} : { reason }), retriable }
      : {}),
    message: redactText(error.message),
    ...(tellsMore ? { cause: redactValue(cause, depth) } : {}),
    ...(isClassified ? {} : { stack: redactText(error.stack ?? '') }),
  };
}

const colors: Record<string, string> = { debug: '2', info: '36', warn: '33', error: '31' };

/**
 * `12:03:04 WARN  message  key=value`: one line, the fields a person needs behind the message; where an unexpected error
 * came from goes below it.
 */
function renderText(line: string, color: boolean): string {
  const { level, time, message, component: _, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const name = String(level).toUpperCase().padEnd(5);
  const shownLevel = color ? `\u001b[${colors[String(level)] ?? '0'}m${name}\u001b[0m` : name;
  const shownFields = Object.entries(fields)
    .map(([key, value]) => {
      const shown = isError(value) ? errorText(value) : value;
      return ` ${key}=${typeof shown === 'string' && !/[\s="]/.test(shown) ? shown : JSON.stringify(shown)}`;
    })
    .join('');
  const traces = Object.values(fields).flatMap((value) => (isError(value) && value.stack ? [value.stack] : []));
  const below = traces.map((stack) => `${stack.slice(stack.indexOf('\n') + 1)}\n`).join('');
  return `${String(time).slice(11, 19)} ${shownLevel} ${String(message)}${shownFields === '' ? '' : ` ${shownFields}`}\n${below}`;
}

interface ShownError {
  message: string;
  code?: string;
  cause?: unknown;
  stack?: string;
}

function isError(value: unknown): value is ShownError {
  return typeof value === 'object' && value !== null && 'message' in value && ('stack' in value || 'code' in value);
}

function errorText({ message, cause }: ShownError): string {
  return isError(cause) ? `${message}, because ${errorText(cause)}` : message;
}
