/** SQL against the embedded store of a running Picket. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StoreEndpoint } from '@picket/analyzer/store/clickhouse-store.ts';
import type { Picket } from './picket.ts';

/** Rows of a SELECT, as objects. */
export async function queryStore<T>(picket: Picket, sql: string): Promise<T[]> {
  const endpoint = JSON.parse(readFileSync(join(picket.folder, 'data/store-endpoint.json'), 'utf8')) as StoreEndpoint;
  const text = await commandStore(endpoint, `${sql} FORMAT JSONEachRow`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** Sends one statement; throws what the store says against it. */
export async function commandStore({ url, username, password }: StoreEndpoint, sql: string): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const response = await fetch(url, { method: 'POST', body: sql, headers: { authorization } });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
