/** Recorded material, where it is at hand. What its labels mean stands in the ORIGIN.md beside it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { AccessRecord } from '../ingest/access-record.ts';
import { type LogEntry, openLogs } from './open.ts';

const data = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

async function readAll(path: string) {
  const logs = await openLogs({ paths: [path], cwd: data });
  const records: AccessRecord[] = [];
  const entries: Omit<LogEntry, 'record'>[] = [];
  for await (const batch of logs.read()) {
    for (const { record, ...entry } of batch) {
      records.push({ ...record, requestHeaders: new Map(record.requestHeaders) });
      entries.push(entry);
    }
  }
  return { logs, records, entries, report: logs.report() };
}

interface Case {
  test: string;
  log: string;
  lines: number;
  access_lines: number;
}

const cases: Case[] = existsSync(`${data}crowdsec-cases/cases.json`)
  ? JSON.parse(readFileSync(`${data}crowdsec-cases/cases.json`, 'utf8'))
  : [];

describe.skipIf(cases.length === 0)('crowdsec cases', () => {
  it.each(cases)('$test has $access_lines access records', async ({ log, access_lines, lines }) => {
    const { records, report } = await readAll(`crowdsec-cases/${log}`);
    expect(records).toHaveLength(access_lines);
    expect(report.rejected).toBe(lines - access_lines);
    for (const r of records) {
      expect(r.remoteAddress, JSON.stringify(r)).not.toBe('');
      expect(r.startedAtMs).toBeGreaterThan(Date.UTC(2013, 0, 1));
      expect(r.path).not.toBe('');
    }
  });
});

/** Entries that have a time, by file; all others hold none and are rejected as such. */
const harFiles = existsSync(`${data}har`) ? readdirSync(`${data}har`).filter((name) => name.endsWith('.har')) : [];

describe.skipIf(harFiles.length === 0)('HTTP archives', () => {
  it.each(harFiles)('%s', async (name) => {
    const archive = JSON.parse(readFileSync(`${data}har/${name}`, 'utf8')) as {
      log: { entries: Record<string, unknown>[] };
    };
    const { entries } = archive.log;
    const { records, report } = await readAll(`har/${name}`);
    const timed = entries.filter((entry) => entry.startedDateTime !== undefined);
    expect(records).toHaveLength(timed.length);
    expect(report.byReason).toEqual(timed.length === entries.length ? {} : { no_time: entries.length - timed.length });
    expect(records.map((r) => r.status).sort((a, b) => a - b)).toEqual(
      timed.map((entry) => (entry.response as { status?: number } | undefined)?.status ?? 0).sort((a, b) => a - b),
    );
  });
});

interface AlsCase {
  file: string;
  request: Record<string, string | number>;
  relations: { source_ip: string }[];
}

const alsCases: AlsCase[] = existsSync(`${data}als/expected.json`)
  ? JSON.parse(readFileSync(`${data}als/expected.json`, 'utf8')).cases
  : [];

describe.skipIf(alsCases.length === 0)('ALS captures', () => {
  it.each(alsCases)('$file', async ({ file, request, relations }) => {
    const { logs, records } = await readAll(`als/${file}`);
    expect(logs.files[0]?.format).toBe('als');
    expect(records).toHaveLength(1);
    const [r] = records;
    expect(r).toMatchObject({
      method: request.method,
      authority: request.authority,
      path: request.path,
      status: request.status,
      requestId: request.request_id,
      upstreamCluster: request.upstream_cluster,
      responseBytes: request.response_body_bytes,
      remoteAddress: relations[0]?.source_ip,
    });
    expect(r?.durationMs).toBeCloseTo(Number(request.duration_seconds) * 1000, 6);
    expect(new Date(r?.startedAtMs ?? 0).toISOString()).toBe(`${String(request.start_time).slice(0, 23)}Z`);
  });
});
