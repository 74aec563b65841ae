/** Raw bytes at the admin port: each is answered or hung up on, never with an error of ours, and the port stays up. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectSchemas } from '@picket/crds/validate.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { openFolderStore } from '@picket/runtime/objects/folder-store.ts';
import { type AdminView, startAdmin } from '@picket/standalone/up/admin.ts';
import { createProcessMetrics } from '@picket/standalone/up/metrics.ts';
import { repositoryRoot } from '../../support/tools.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

/** A connection that is not answered is waiting for more, as it should. */
const patienceMs = 25;

export async function adminTarget(): Promise<FuzzTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-fuzz-'));
  const objects = await openFolderStore({
    folder: join(repositoryRoot, 'examples/shop/manifests'),
    stateFile: join(folder, 'objects.json'),
    schemas: objectSchemas,
    clock: systemClock,
    logger: silentLogger,
  });
  const ledger = createLedger();
  const kinds = ['inputs', 'findings', 'verdicts', 'decisions', 'loss', 'ticks'];
  const records = Object.fromEntries(kinds.map((k) => [k, { received: 0, stored: 0, dropped: 0, held: 0 }]));
  const view = (): AdminView => ({
    analyzer: undefined,
    history: { entries: 0, done: true },
    streams: [],
    inFlight: undefined,
    envoys: [],
    completeness: [],
    publisher: undefined,
    store: {
      received: 0,
      stored: 0,
      dropped: 0,
      held: 0,
      records,
      failures: 0,
      failingSinceMs: 0,
    } as AdminView['store'],
    listening: { als: undefined, xds: undefined },
  });
  const admin = await startAdmin({
    listen: '127.0.0.1:0',
    objects,
    ledger,
    metrics: createProcessMetrics(ledger),
    clock: systemClock,
    startedAt: 0,
    view,
  });
  admin.ready();
  const get = (path: string): Buffer =>
    Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  const body = '{"disposition":"FalsePositive","by":"ann"}';
  return {
    seeds: [
      ...[
        '/',
        '/healthz',
        '/metrics',
        '/api/v1/status',
        '/api/v1/objects/ProtectedAPI/default/shop',
        '/api/v1/events',
      ].map(get),
      Buffer.from(
        `POST /api/v1/objects/RiskVerdict/default/v/review HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      ),
    ],
    dictionary: [
      '\r\n',
      '\r\n\r\n',
      '/',
      '//',
      '%',
      '%00',
      '%ff',
      '..',
      '?',
      '#',
      'host: evil\r\n',
      'transfer-encoding: chunked\r\n',
      'content-length: 9\r\n',
      'PUT',
      '[::1]',
      '\0',
      '__proto__',
      'Secret',
      'http://x/',
    ],
    async check(input) {
      const answer = await exchange(admin.port, input);
      for (const [, status] of answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm))
        must(Number(status) < 500, `answered ${status}`);
    },
    async close() {
      await admin.close();
      await objects.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function exchange(port: number, input: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1');
    const done = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(patienceMs, done);
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
    socket.on('close', done);
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? reject(error) : done()));
    socket.end(input);
  });
}
