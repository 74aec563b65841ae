/** One access log in the making: lines of several actors, written in order of time as a server would. */

export interface SiteRequest {
  /** Unix ms, start of the request. */
  at: number;
  address: string;
  user?: string;
  method?: string;
  path: string;
  status?: number;
  bytes?: number;
  referer?: string;
  agent: string;
  durationMs?: number;
}

export interface SiteLog {
  add(request: SiteRequest): void;
  /** Combined lines, oldest first. */
  combined(): string;
  /** NGINX JSON lines with host and request time, oldest first. */
  json(host: string): string;
  /** Oldest first. */
  requests(): readonly SiteRequest[];
  readonly length: number;
}

export function createSiteLog(): SiteLog {
  const requests: SiteRequest[] = [];
  const ordered = (): SiteRequest[] => requests.sort((a, b) => a.at - b.at);
  return {
    add(request) {
      requests.push(request);
    },
    combined: () => ordered().map(combinedLine).join(''),
    json: (host) =>
      ordered()
        .map((r) => `${jsonLine(r, host)}\n`)
        .join(''),
    requests: ordered,
    get length() {
      return requests.length;
    },
  };
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

function combinedLine(r: SiteRequest): string {
  const t = new Date(r.at);
  const two = (n: number): string => String(n).padStart(2, '0');
  const time = `${two(t.getUTCDate())}/${months[t.getUTCMonth()]}/${t.getUTCFullYear()}:${two(t.getUTCHours())}:${two(t.getUTCMinutes())}:${two(t.getUTCSeconds())} +0000`;
  return `${r.address} - ${r.user ?? '-'} [${time}] "${r.method ?? 'GET'} ${r.path} HTTP/1.1" ${r.status ?? 200} ${r.bytes ?? 5120} "${r.referer ?? '-'}" "${r.agent}"\n`;
}

function jsonLine(r: SiteRequest, host: string): string {
  return JSON.stringify({
    time_iso8601: new Date(r.at).toISOString(),
    remote_addr: r.address,
    remote_user: r.user ?? '',
    request_method: r.method ?? 'GET',
    request_uri: r.path,
    status: r.status ?? 200,
    body_bytes_sent: r.bytes ?? 5120,
    request_time: (r.durationMs ?? 40) / 1000,
    http_referer: r.referer ?? '',
    http_user_agent: r.agent,
    host,
  });
}
