/**
 * What the keys of JSON access logs mean. Keys are compared in lower case, nested ones joined by dots. Where several
 * keys of one object mean the same, the one with the lower rank (its place in the list) wins.
 */

export const Column = {
  start: 0,
  time: 1,
  method: 2,
  path: 3,
  query: 4,
  request: 5,
  status: 6,
  address: 7,
  forwarded: 8,
  direct: 9,
  host: 10,
  userAgent: 11,
  referer: 12,
  user: 13,
  requestBytes: 14,
  responseBytes: 15,
  durationSeconds: 16,
  durationMs: 17,
  durationNs: 18,
  durationAny: 19,
  upstreamSeconds: 20,
  upstreamMs: 21,
  requestId: 22,
  details: 23,
  route: 24,
  cluster: 25,
  cookie: 26,
  authorization: 27,
  url: 28,
  ja3: 29,
  ja4: 30,
  grpc: 31,
} as const;
export type Column = (typeof Column)[keyof typeof Column];
const columnCount = 32;

const spellings: Readonly<Record<keyof typeof Column, string>> = {
  start: 'start_time starttime startutc startlocal requesttime start',
  time: 'time_iso8601 @timestamp timestamp time time_local msec timestamp_ns ts date datetime eventtime event_time timelocal asctime logged_at',
  method:
    'method request_method requestmethod http_method req.method request.method http.request.method httprequest.requestmethod http.method verb cs_method :method',
  path: 'x-envoy-original-path x-envoy-origin-path request_uri requesturi uri path request_path requestpath url_path req.url request.uri request.url request.path url.original url.path http.target uri_path cs_uri_stem endpoint :path req.path httppath',
  query: 'query_string querystring args query url.query uri_query',
  request: 'request request_line requestline req http_request',
  status:
    'response_code downstreamstatus status status_code statuscode http_status response_status responsecode http_status_code code response.status response.status_code res.statuscode res.status http.response.status_code http.status_code httprequest.status sc_status originstatus response',
  address:
    'client_ip clienthost clientip client.ip client.address http.client_ip source.ip remote_addr remote_address remoteaddr remoteip remote_ip request.client_ip request.remote_ip request.remote_addr req.remoteaddress req.ip real_ip realip x_real_ip http_x_real_ip ip client client_addr clientaddress source_ip sourceip src_ip c_ip httprequest.remoteip clientaddr host_ip remote meta.remote_ip',
  forwarded:
    'x-forwarded-for x_forwarded_for http_x_forwarded_for xff forwarded_for proxy_add_x_forwarded_for request_x-forwarded-for',
  direct:
    'downstream_remote_address downstream_direct_remote_address downstreamremoteaddress realip_remote_addr peer_address network.peer.address net.sock.peer.addr net.peer.ip',
  host: ':authority authority http_host requesthost host_header request_host request.host req.headers.host url.domain server.address vhost virtual_host requested_server_name server_name hostname domain host requestaddr http.host net.host.name',
  userAgent:
    'user-agent user_agent http_user_agent useragent agent ua user_agent.original request_user-agent req.useragent httprequest.useragent http_useragent http.user_agent browser user_agent.name',
  referer:
    'referer http_referer http_referrer referrer http.request.referrer request_referer req.referer httprequest.referer httpreferer',
  user: 'remote_user user_id clientusername username user.name user.id user authuser auth_user remoteuser cs_username user_name enduser.id',
  requestBytes:
    'bytes_received requestcontentsize bytes_read body_bytes_received http.request.body.size http.request.body.bytes request_body_size http.request_content_length',
  responseBytes:
    'bytes_sent downstreamcontentsize body_bytes_sent body_bytes size response_size http.response.body.size http.response.body.bytes res.contentlength response_bytes bytes content_length response_length httprequest.responsesize bodybytessent sent_bytes sc_bytes http.response_content_length',
  durationSeconds:
    'request_time duration_s reqtime http.server.request.duration request_duration_seconds request_time_s rt duration_seconds',
  durationMs:
    'duration_ms response_time_ms responsetime res.responsetime response_time latency_ms elapsed_ms request_time_ms time_taken_ms took_ms http.server.duration',
  durationNs: 'event.duration duration_ns elapsed_ns',
  durationAny:
    'duration latency elapsed request_duration time_taken httprequest.latency response_duration process_time',
  upstreamSeconds: 'upstream_response_time urt upstreamresponsetime upstream_time',
  upstreamMs: 'x-envoy-upstream-service-time upstream_service_time',
  requestId:
    'x-request-id request_id x_request_id requestid req_id correlation_id http_x_request_id trace_id traceid stream_id http.request.id',
  details: 'response_code_details responsecodedetails',
  route: 'route_name routername http.route route upstream_route',
  cluster:
    'upstream_cluster_raw upstream_cluster servicename upstreamcluster proxy_upstream_name upstream_name service',
  cookie: 'cookie http_cookie request_cookie',
  authorization: 'authorization http_authorization request_authorization',
  url: 'url url.full request_url http.url httprequest.requesturl full_url',
  ja3: 'ja3 ja3_hash ja3_fingerprint http_ja3 tls.client.ja3',
  ja4: 'ja4 ja4_fingerprint http_ja4 tls.client.ja4',
  grpc: 'grpc_status response_flags',
};

const table: ReadonlyMap<string, { column: Column; rank: number }> = new Map(
  (Object.keys(Column) as (keyof typeof Column)[]).flatMap((name) =>
    spellings[name].split(' ').map((key, rank) => [key, { column: Column[name], rank }] as const),
  ),
);

/** Header names behind prefixes: `req.headers.accept`, `request_Accept`, `request.headers.X-Api-Key`. */
const requestHeaderPrefixes = [
  'request.headers.',
  'req.headers.',
  'request_headers.',
  'headers.',
  'http.request.header.',
];
const responseHeaderPrefixes = [
  'resp_headers.',
  'res.headers.',
  'response.headers.',
  'response_headers.',
  'http.response.header.',
];

/** One object of a log, its values in columns. Reused between lines. */
export interface Row {
  values: unknown[];
  ranks: Uint8Array;
  requestHeaders: Map<string, string>;
  responseHeaders: Map<string, string>;
}

export function createRow(): Row {
  return {
    values: Array.from({ length: columnCount }, () => undefined),
    ranks: new Uint8Array(columnCount).fill(255),
    requestHeaders: new Map(),
    responseHeaders: new Map(),
  };
}

const maxDepth = 5;
const maxKeys = 512;

/** Spreads an object over the columns. */
export function fillRow(row: Row, object: object): void {
  row.values.fill(undefined);
  row.ranks.fill(255);
  if (row.requestHeaders.size > 0) row.requestHeaders.clear();
  if (row.responseHeaders.size > 0) row.responseHeaders.clear();
  spread(row, object as Record<string, unknown>, '', 0, { left: maxKeys });
}

function spread(
  row: Row,
  object: Record<string, unknown>,
  prefix: string,
  depth: number,
  keys: { left: number },
): void {
  for (const key in object) {
    if (keys.left-- <= 0) return;
    const value = object[key];
    if (value === null || value === undefined || value === '' || value === '-') continue;
    const name = prefix === '' ? lowerKey(key) : prefix + lowerKey(key);
    if (typeof value === 'object' && !Array.isArray(value)) {
      if (depth < maxDepth) spread(row, value as Record<string, unknown>, `${name}.`, depth + 1, keys);
      continue;
    }
    place(row, name, value);
  }
}

/** Lower-case spellings of the keys seen, bounded; logs repeat theirs on every line. */
const lowered = new Map<string, string>();

function lowerKey(key: string): string {
  const known = lowered.get(key);
  if (known !== undefined) return known;
  const lower = key.toLowerCase();
  if (lowered.size < 4096) lowered.set(key, lower);
  return lower;
}

function place(row: Row, name: string, value: unknown): void {
  const header = afterPrefix(name, requestHeaderPrefixes);
  if (header !== '') return setHeader(row.requestHeaders, header, value);
  const known = table.get(name);
  if (known !== undefined) {
    if (known.rank < (row.ranks[known.column] ?? 0)) {
      row.values[known.column] = value;
      row.ranks[known.column] = known.rank;
    }
    return;
  }
  // Traefik: request_X-Api-Key, downstream_Location.
  if (name.startsWith('request_') && name.includes('-')) setHeader(row.requestHeaders, name.slice(8), value);
  else if (name.startsWith('downstream_') && name.includes('-')) setHeader(row.responseHeaders, name.slice(11), value);
  else if (name === 'location') setHeader(row.responseHeaders, name, value);
  else {
    const response = afterPrefix(name, responseHeaderPrefixes);
    if (response !== '') setHeader(row.responseHeaders, response, value);
  }
}

function afterPrefix(name: string, prefixes: readonly string[]): string {
  const c = name.charCodeAt(0);
  // r, h
  if (c !== 114 && c !== 104) return '';
  for (const prefix of prefixes) if (name.startsWith(prefix)) return name.slice(prefix.length);
  return '';
}

function setHeader(headers: Map<string, string>, name: string, value: unknown): void {
  const text = Array.isArray(value) ? value.filter((v) => typeof v === 'string').join(', ') : String(value);
  // Caddy and others blank out secrets: everybody would share the one that is left.
  if (text !== '' && !redacted.test(text)) headers.set(name, text);
}

const redacted = /^(?:\[?<?(?:redacted|filtered|masked|hidden)>?\]?|\*{2,64}|x{3,64})$/i;
