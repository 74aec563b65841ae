import { createServer } from 'node:net';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { errorCodes, exitCodeOf, PicketError, toPicketError } from './errors.ts';

describe('PicketError', () => {
  it('carries code, reason, retriable and the cause', () => {
    const cause = new Error('socket hang up');
    const error = new PicketError('Unavailable', 'ClickHouse at 127.0.0.1:8123 does not answer', { cause });
    expect(error).toMatchObject({ code: 'Unavailable', reason: 'Unavailable', retriable: true, cause });
  });

  it('takes reason and retriable of its own', () => {
    const error = new PicketError('Conflict', 'x', { reason: 'HostClaimed', retriable: true });
    expect(error).toMatchObject({ reason: 'HostClaimed', retriable: true });
  });
});

describe('toPicketError', () => {
  it('knows a missing file', async () => {
    const thrown = await readFile('/nonexistent/file').catch((error: unknown) => error);
    expect(toPicketError(thrown, 'read the key')).toMatchObject({
      code: 'NotFound',
      message: expect.stringMatching(/^read the key: ENOENT/),
    });
  });

  it('knows an address in use', async () => {
    const first = createServer().listen(0, '127.0.0.1');
    await once(first, 'listening');
    const address = first.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const second = createServer().listen(port, '127.0.0.1');
    const [thrown] = await once(second, 'error');
    first.close();
    expect(toPicketError(thrown, 'listen')).toMatchObject({ code: 'AddressInUse', retriable: false });
  });

  it('knows an abort and keeps its own errors', () => {
    expect(toPicketError(AbortSignal.abort().reason, 'wait').code).toBe('Cancelled');
    const own = new PicketError('Corrupt', 'x');
    expect(toPicketError(own, 'read')).toBe(own);
    expect(toPicketError('text', 'read')).toMatchObject({ code: 'Internal', message: 'read: text' });
  });
});

describe('exitCodeOf', () => {
  it('follows the table and takes anything else for a defect', () => {
    expect(exitCodeOf(new PicketError('NotReproducible', 'x'))).toBe(10);
    expect(exitCodeOf(new Error('x'))).toBe(1);
    expect(Object.values(errorCodes).every((entry) => entry.exitCode > 0 && entry.exitCode < 256)).toBe(true);
  });
});
