/** What a ClickHouse server looks like from its socket, for faults that a real one cannot be told to have. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { splitObservationRows } from './observations.ts';

/** `full` and `failing` answer as ClickHouse does; `hanging` never answers; `slow` takes a second; `gone` hangs up. */
export type StoreMood = 'well' | 'slow' | 'hanging' | 'full' | 'failing' | 'gone';

export interface ClickHouseDouble {
  url: string;
  mood: StoreMood;
  /** Lines taken by table; of observations the bytes. */
  rows: Map<string, string[]>;
  close(): Promise<void>;
}

export async function startClickHouseDouble(): Promise<ClickHouseDouble> {
  const rows = new Map<string, string[]>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const query = url.searchParams.get('query') ?? '';
      const table = /INSERT INTO picket\.(\w+)/.exec(query)?.[1];
      const answer = (status: number, body: string, code?: number): void => {
        if (code !== undefined) response.setHeader('x-clickhouse-exception-code', String(code));
        response.writeHead(status).end(body);
      };
      const take = (): void => {
        if (table !== undefined) {
          const body = Buffer.concat(chunks);
          const taken = query.endsWith('FORMAT RowBinary')
            ? splitObservationRows(body).map((row) => row.toString('latin1'))
            : body
                .toString('utf8')
                .split('\n')
                .filter((line) => line !== '');
          rows.set(table, [...(rows.get(table) ?? []), ...taken]);
        }
        answer(200, '');
      };
      if (double.mood === 'well') take();
      else if (double.mood === 'gone') request.socket.destroy();
      else if (double.mood === 'slow') setTimeout(take, 1000);
      else if (double.mood === 'full')
        answer(500, 'Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)', 243);
      else if (double.mood === 'failing')
        answer(503, 'Code: 210. DB::Exception: I am going away. (NETWORK_ERROR)', 210);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const double: ClickHouseDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mood: 'well',
    rows,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return double;
}
