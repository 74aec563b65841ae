/**
 * Times as logs write them → Unix milliseconds with fraction; NaN when the text is no time. Times without a zone are
 * read as UTC. Hand-written scanning: the combined parser spends a third of its budget here when `Date.parse` does it.
 */

const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** 2100-01-01: whatever lies beyond is a unit mistake or junk. */
const LATEST_MS = 4_102_444_800_000;

function digit(s: string, i: number): number {
  const c = s.charCodeAt(i) - 48;
  return c >= 0 && c <= 9 ? c : Number.NaN;
}

function two(s: string, i: number): number {
  return digit(s, i) * 10 + digit(s, i + 1);
}

function four(s: string, i: number): number {
  return two(s, i) * 100 + two(s, i + 2);
}

/** Month by its first three letters, any case; NaN when it is none. */
function monthAt(s: string, i: number): number {
  const a = s.charCodeAt(i) | 32;
  const b = s.charCodeAt(i + 1) | 32;
  const c = s.charCodeAt(i + 2) | 32;
  return monthCodes.get((a << 16) | (b << 8) | c) ?? Number.NaN;
}

const monthCodes: ReadonlyMap<number, number> = new Map(
  monthNames.map((name, i) => [(name.charCodeAt(0) << 16) | (name.charCodeAt(1) << 8) | name.charCodeAt(2), i + 1]),
);

const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`). */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yoe = y - era * 400;
  const doy = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const doe = yoe * 365 + Math.floor(yoe / 4) - Math.floor(yoe / 100) + doy;
  return era * 146_097 + doe - 719_468;
}

function instant(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  const ok =
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= (monthDays[month - 1] ?? 0) &&
    // Between 1970 and 2100 each fourth year is a leap year.
    (day !== 29 || month !== 2 || year % 4 === 0) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 60 &&
    year >= 1970 &&
    year < 2100;
  if (!ok) return Number.NaN;
  return (daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second) * 1000;
}

/** Offset in ms of a zone that starts at `i` (`Z`, `+0200`, `+02:00`, `+02`), 0 when there is none. */
function zoneAt(s: string, i: number): number {
  const c = s.charCodeAt(i);
  if (c !== 43 && c !== 45) return 0;
  const hours = two(s, i + 1);
  const at = s.charCodeAt(i + 3) === 58 ? i + 4 : i + 3;
  const minutes = two(s, at);
  const total = hours * 60 + (Number.isNaN(minutes) ? 0 : minutes);
  if (!(total <= 14 * 60)) return 0;
  return (c === 45 ? -total : total) * 60_000;
}

/** Milliseconds of a fraction that starts after its separator at `i`. */
function fractionAt(s: string, i: number): { ms: number; end: number } {
  let ms = 0;
  let scale = 100;
  let at = i;
  for (let d = digit(s, at); !Number.isNaN(d); d = digit(s, ++at)) {
    ms += d * scale;
    scale /= 10;
  }
  return { ms, end: at };
}

/**
 * `10/Oct/2000:13:55:36 -0700` at `i`, with or without a fraction and a zone, as Apache, NGINX and HAProxy write it;
 * also cPanel's `10/31/2000:…` (month first).
 */
export function parseClfTime(s: string, i = 0): number {
  const named = s.charCodeAt(i + 2) === 47 && s.charCodeAt(i + 6) === 47;
  const numeric = !named && s.charCodeAt(i + 2) === 47 && s.charCodeAt(i + 5) === 47;
  if (!named && !numeric) return Number.NaN;
  const day = named ? two(s, i) : two(s, i + 3);
  const month = named ? monthAt(s, i + 3) : two(s, i);
  const at = named ? i + 7 : i + 6;
  if (s.charCodeAt(at + 4) !== 58) return Number.NaN;
  const ms = instant(four(s, at), month, day, two(s, at + 5), two(s, at + 8), two(s, at + 11));
  let end = at + 13;
  let fraction = 0;
  if (s.charCodeAt(end) === 46) ({ ms: fraction, end } = fractionAt(s, end + 1));
  if (s.charCodeAt(end) === 32) end++;
  return ms + fraction - zoneAt(s, end);
}

/** ISO 8601 and its relatives at `i`: `2024-01-31T10:00:00.123456789+01:00`, a space for the T, slashes for dashes. */
export function parseIsoTime(s: string, i = 0): number {
  const dash = s.charCodeAt(i + 4);
  if ((dash !== 45 && dash !== 47) || s.charCodeAt(i + 7) !== dash) return Number.NaN;
  const separator = s.charCodeAt(i + 10);
  if (separator !== 84 && separator !== 32 && separator !== 116) return Number.NaN;
  if (s.charCodeAt(i + 13) !== 58) return Number.NaN;
  const seconds = s.charCodeAt(i + 16) === 58;
  const second = seconds ? two(s, i + 17) : 0;
  const ms = instant(four(s, i), two(s, i + 5), two(s, i + 8), two(s, i + 11), two(s, i + 14), second);
  let end = seconds ? i + 19 : i + 16;
  let fraction = 0;
  const point = s.charCodeAt(end);
  if (point === 46 || point === 44) ({ ms: fraction, end } = fractionAt(s, end + 1));
  if (s.charCodeAt(end) === 32) end++;
  return ms + fraction - zoneAt(s, end);
}

/** A number since 1970 whose unit (s, ms, µs, ns) shows from its size. */
export function parseEpoch(n: number): number {
  if (!(n > 0)) return Number.NaN;
  if (n < 1e11) return n * 1000;
  if (n < 1e14) return n < LATEST_MS ? n : Number.NaN;
  if (n < 1e17) return n / 1000;
  return n < 4.2e18 ? n / 1e6 : Number.NaN;
}

/** Any of the above, as text or number. */
export function parseTime(value: unknown): number {
  if (typeof value === 'number') return parseEpoch(value);
  if (typeof value !== 'string' || value.length < 9) return Number.NaN;
  const s = value.charCodeAt(0) === 91 ? value.slice(1) : value;
  const iso = parseIsoTime(s);
  if (!Number.isNaN(iso)) return iso;
  const clf = parseClfTime(s);
  if (!Number.isNaN(clf)) return clf;
  if (/^\d{9,19}(\.\d{1,9})?$/.test(s)) return parseEpoch(Number(s));
  // RFC 1123 and the like; only with letters, since Date.parse reads far too much as a date.
  return /^[A-Z][a-z]{2}, /.test(s) && s.length < 40 ? Date.parse(s) : Number.NaN;
}

/** Milliseconds of "1.5s", "20ms", "300µs" or, without a unit, seconds; NaN when it is no duration. */
export function parseDurationText(value: unknown): number {
  if (typeof value !== 'string' || value.length > 32) return Number.NaN;
  const match = /^(-?\d{1,12}(?:\.\d{1,20})?(?:e-\d{1,2})?)(ns|us|µs|ms|s|m)?$/.exec(value.trim());
  if (!match) return Number.NaN;
  return Number(match[1]) * (unitMs[match[2] ?? 's'] ?? Number.NaN);
}

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000 };
