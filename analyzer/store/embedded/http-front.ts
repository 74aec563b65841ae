/**
 * The part of ClickHouse's HTTP interface that `@clickhouse/client` uses, over the embedded engine. An answer is sent
 * when it is complete (as with `wait_end_of_query`), so an error always has its own status and never trails rows.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gunzip, gzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { Engine } from './engine.ts';
import { parseRequest } from './statement.ts';

const unpack = promisify(gunzip);
const pack = promisify(gzip);

export interface HttpFrontOptions {
  user: string;
  password: string;
  maxBodyBytes: number;
}

/** Not listening yet: the caller binds it to loopback. */
export function createHttpFront(engine: Engine, options: HttpFrontOptions): Server {
  return createServer((request, response) => {
    answer(engine, options, request, response).catch((error: unknown) => {
      if (!response.headersSent) fail(response, error);
      else response.destroy();
    });
  });
}

async function answer(
  engine: Engine,
  options: HttpFrontOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://engine');
  if (url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  if (!isAuthorised(request, options)) {
    request.resume();
    throw new Error(`Code: 516. DB::Exception: ${options.user}: Authentication failed. (AUTHENTICATION_FAILED)`);
  }
  if (url.pathname !== '/' || (request.method !== 'POST' && request.method !== 'GET')) {
    request.resume();
    throw new Error(`Code: 48. DB::Exception: ${request.method} ${url.pathname} is not served. (NOT_IMPLEMENTED)`);
  }
  const body = await readBody(request, options.maxBodyBytes);
  let parsed: ReturnType<typeof parseRequest>;
  try {
    parsed = parseRequest(url, body);
  } catch (error) {
    throw new Error(`Code: 36. DB::Exception: ${messageOf(error)}. (BAD_ARGUMENTS)`, { cause: error });
  }
  const result = await engine.run(parsed);
  response.setHeader('X-ClickHouse-Query-Id', parsed.queryId);
  const compress =
    url.searchParams.get('enable_http_compression') === '1' &&
    /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (compress && result.length > 0) {
    response.setHeader('Content-Encoding', 'gzip');
    response.end(await pack(result));
  } else {
    response.end(result);
  }
}

function isAuthorised(request: IncomingMessage, options: HttpFrontOptions): boolean {
  const expected = Buffer.from(`Basic ${Buffer.from(`${options.user}:${options.password}`).toString('base64')}`);
  const given = Buffer.from(request.headers.authorization ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): Error => new Error(`Code: 307. DB::Exception: Body exceeds ${maxBytes} bytes. (TOO_MANY_BYTES)`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return body;
  if (encoding !== 'gzip') {
    throw new Error(`Code: 48. DB::Exception: Content-Encoding ${encoding} is not served. (NOT_IMPLEMENTED)`);
  }
  try {
    return await unpack(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new Error(`Code: 354. DB::Exception: ${messageOf(error)}. (ZLIB_INFLATE_FAILED)`, { cause: error });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The statuses ClickHouse gives to these codes; every other one is 500. */
const statusOf: Readonly<Record<number, number>> = {
  26: 400,
  27: 400,
  36: 400,
  48: 501,
  60: 404,
  62: 400,
  81: 404,
  159: 408,
  202: 503,
  307: 413,
  516: 403,
};

function fail(response: ServerResponse, error: unknown): void {
  const message = messageOf(error);
  const code = /Code: (\d+)/.exec(message)?.[1];
  response.statusCode = statusOf[Number(code)] ?? 500;
  response.setHeader('X-ClickHouse-Exception-Code', code ?? '1001');
  // What is left of the body is not worth reading.
  response.setHeader('Connection', 'close');
  response.end(code === undefined ? `Code: 1001. DB::Exception: ${message} (STD_EXCEPTION)` : message);
}
