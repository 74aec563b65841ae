/** What of ClickHouse's HTTP interface a request asks for: the statement, its kind, settings and parameters. */

export type Statement =
  | { kind: 'select'; sql: string }
  | { kind: 'insertRows'; table: string; columns: string[]; format: RowFormat; data: Buffer }
  | { kind: 'command'; sql: string };

export type RowFormat = 'JSONEachRow' | 'JSONCompactEachRow' | 'RowBinary';

export interface EngineRequest {
  statement: Statement;
  settings: Record<string, string>;
  parameters: Record<string, string>;
  queryId: string;
}

/** Parameters of the URL that are not settings. Authentication by URL is not offered: it would end up in logs. */
const reserved = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'session_id',
  'role',
  'wait_end_of_query',
  'buffer_size',
  'enable_http_compression',
  'send_progress_in_http_headers',
]);

const insertRows =
  /^\s*INSERT\s+INTO\s+([A-Za-z_][\w.]*)\s*(?:\(([^()]*)\))?\s*FORMAT\s+(JSONEachRow|JSONCompactEachRow|RowBinary)\s*$/;
/** Our statements never read files or networks; values come as parameters, so this cannot hit one. */
const outsideFunctions =
  /\b(file|fileCluster|url|urlCluster|s3|s3Cluster|gcs|hdfs|azureBlobStorage|remote|remoteSecure|cluster|mysql|postgresql|mongodb|redis|sqlite|odbc|jdbc|executable|python|iceberg|deltaLake|hudi)\s*\(/i;
const settingName = /^[a-z][a-z0-9_]*$/;
/** Longest an operation may run, whatever the client asks for. */
const maxExecutionS = 3600;
const defaultExecutionS = 60;

/** @throws Error with a message for the client when the request is none that we serve. */
export function parseRequest(url: URL, body: Buffer): EngineRequest {
  const settings: Record<string, string> = {};
  const parameters: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) parameters[name.slice('param_'.length)] = unescapeTabSeparated(value);
    else if (reserved.has(name)) continue;
    else if (settingName.test(name)) settings[name] = value;
    else throw new Error(`unusable setting name ${JSON.stringify(name)}`);
  }
  const asked = Number(settings.max_execution_time ?? 0);
  settings.max_execution_time = String(asked > 0 ? Math.min(asked, maxExecutionS) : defaultExecutionS);
  const inUrl = url.searchParams.get('query');
  const sql = (inUrl ?? body.toString('utf8')).trim().replace(/;$/, '');
  if (sql === '') throw new Error('empty query');
  const outside = outsideFunctions.exec(sql);
  if (outside) throw new Error(`table function ${outside[1]} reaches outside the database`);
  return {
    statement: classify(sql, inUrl === null ? Buffer.alloc(0) : body),
    settings,
    parameters,
    queryId: url.searchParams.get('query_id') ?? '',
  };
}

function classify(sql: string, data: Buffer): Statement {
  const insert = insertRows.exec(sql);
  if (insert) {
    const [, table = '', columns = '', format = ''] = insert;
    return {
      kind: 'insertRows',
      table,
      columns: columns
        .split(',')
        .map((column) => column.trim())
        .filter((column) => column !== ''),
      format: format as RowFormat,
      data,
    };
  }
  return /^(SELECT|WITH)\b/i.test(sql) ? { kind: 'select', sql } : { kind: 'command', sql };
}

/** Settings as the clause that ends a statement. */
export function settingsClause(settings: Record<string, string>): string {
  const list = Object.entries(settings).map(([name, value]) => `${name} = ${settingLiteral(value)}`);
  return list.length === 0 ? '' : ` SETTINGS ${list.join(', ')}`;
}

export function settingLiteral(value: string): string {
  return /^-?\d+(\.\d+)?$/.test(value) ? value : `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** Query parameters come in ClickHouse's escaped form; the engine's binding escapes again. */
function unescapeTabSeparated(value: string): string {
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '0': '\0' };
  return value.replace(/\\(.)/gs, (_, character: string) => escapes[character] ?? character);
}
