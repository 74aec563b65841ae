/** Settings from flags and environment, parsed at the edge of a process: every problem at once, each with its fix. */
import { isIP } from 'node:net';
import { PicketError } from './errors.ts';

/** Text to value; throws an `Error` whose message says what the text must be. */
export type SettingParser<T> = (text: string) => T;

export interface Setting<T> {
  /** Without dashes: `als-listen`. */
  flag: string;
  /** `PICKET_ALS_LISTEN`; left out, only the flag sets it. */
  env?: string;
  parse: SettingParser<T>;
  /** In the form a person writes it; left out, the setting is required. */
  default?: string;
  help: string;
  /** Its value is never shown. */
  secret?: boolean;
}

export type SettingValues<S extends Record<string, Setting<unknown>>> = {
  [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/**
 * Reads every setting: flag before environment before default.
 *
 * @throws PicketError `InvalidConfig` with one line per problem
 */
export function readSettings<S extends Record<string, Setting<unknown>>>(
  settings: S,
  sources: { flags: Readonly<Record<string, string | undefined>>; env: Readonly<Record<string, string | undefined>> },
): SettingValues<S> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const fromFlag = sources.flags[setting.flag];
    const fromEnv = setting.env === undefined ? undefined : sources.env[setting.env];
    const text = fromFlag ?? fromEnv ?? setting.default;
    const where = fromFlag === undefined && fromEnv !== undefined ? String(setting.env) : `--${setting.flag}`;
    if (text === undefined) {
      const orEnv = setting.env === undefined ? '' : ` or ${setting.env}`;
      problems.push(`--${setting.flag}${orEnv} is missing: ${setting.help}`);
      continue;
    }
    try {
      values[name] = setting.parse(text);
    } catch (error) {
      const shown = setting.secret === true ? '' : ` "${text.slice(0, 200)}"`;
      problems.push(`${where}${shown}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw new PicketError('InvalidConfig', problems.join('\n'));
  return values as SettingValues<S>;
}

const durationUnitsMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `10m`, `1h30m`, `500ms`, `7d` to milliseconds. */
export function parseDurationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new Error('must be a duration such as 500ms, 10m, 1h30m or 7d');
  }
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (durationUnitsMs[unit ?? ''] ?? 0), 0);
  return Math.round(total);
}

const sizeUnits: Record<string, number> = {
  '': 1,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** `64MiB`, `512Mi`, `10GB`, `4096` to bytes. */
export function parseSizeBytes(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)\s?([A-Za-z]*)$/.exec(text);
  const unit = sizeUnits[parts?.[2] ?? '?'];
  if (parts === null || unit === undefined) throw new Error('must be a size such as 4096, 64MiB, 512Mi or 10GB');
  return Math.round(Number(parts[1]) * unit);
}

/** `1%` or `0.01` to 0.01. */
export function parseShare(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const share = parts === null ? Number.NaN : Number(parts[1]) / (parts[2] === '%' ? 100 : 1);
  if (!(share >= 0 && share <= 1)) throw new Error('must be a share such as 1% or 0.01, at most 100%');
  return share;
}

export interface ListenAddress {
  host: string;
  /** 0 = any free port. */
  port: number;
  /** Nobody but this machine can reach it. */
  loopback: boolean;
}

/** `127.0.0.1:9000`, `[::1]:0`, `localhost:9000`, `:9000` (all addresses). */
export function parseListenAddress(text: string): ListenAddress {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port > 65_535 || (parts?.[1] !== undefined && isIP(host) !== 6)) {
    throw new Error('must be host:port such as 127.0.0.1:9000, [::1]:9000 or :9000 for all addresses');
  }
  if (/^[\d.]+$/.test(host) && isIP(host) !== 4) throw new Error(`"${host}" is not an IPv4 address`);
  return { host: host === '' ? '::' : host, port, loopback: isLoopback(host) };
}

/** `host:port` as it is written, IPv6 in brackets. */
export function formatListenAddress({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host can only be reached from this machine. Names other than `localhost` may point anywhere. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  if (isIP(host) === 4) return host.startsWith('127.');
  if (isIP(host) !== 6) return false;
  // The URL parser brings every way to write an address into one form.
  const canonical = new URL(`http://[${host}]`).hostname;
  return canonical === '[::1]' || /^\[::ffff:7f[0-9a-f]{2}:/.test(canonical);
}

export function integerBetween(minimum: number, maximum: number): SettingParser<number> {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= minimum && value <= maximum)) {
      throw new Error(`must be a whole number from ${minimum} to ${maximum}`);
    }
    return value;
  };
}

export function oneOf<const V extends string>(...values: V[]): SettingParser<V> {
  return (text) => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new Error(`must be one of ${values.join(', ')}`);
    return found;
  };
}

export function parseBoolean(text: string): boolean {
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  if (/^(false|no|off|0)$/i.test(text)) return false;
  throw new Error('must be true or false');
}

export function parseText(text: string): string {
  if (text.trim() === '') throw new Error('must not be empty');
  return text;
}

export function parseUrl(...schemes: string[]): SettingParser<URL> {
  return (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !schemes.includes(url.protocol.slice(0, -1))) {
      throw new Error(`must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
    }
    return url;
  };
}

/** An optional setting: empty text is undefined. Use with `default: ''`. */
export function optional<T>(parse: SettingParser<T>): SettingParser<T | undefined> {
  return (text) => (text === '' ? undefined : parse(text));
}

/** Comma separated. */
export function listOf<T>(parse: SettingParser<T>): SettingParser<T[]> {
  return (text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
      .map(parse);
}
