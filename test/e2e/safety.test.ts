/** Ten thousand attackers at once: the limits of safety hold, and they are no off switch. */
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { shapeHeaders } from '@picket/proto/access-log.ts';
import { FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';
import { RequestMethod } from '@picket/proto/gen/envoy/config/core/v3/base_pb.js';
import {
  AccessLogType,
  type HTTPAccessLogEntry,
  HTTPAccessLogEntrySchema,
} from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { accessLogService } from '@picket/proto/services/access-log.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeMessage } from '../scenarios/drivers/als-entry.ts';
import type { Picket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { caller, createStage, ordinaryTraffic, type Stage } from './stage.ts';

const { missing } = findTool('envoy');
const bots = 10_000;
const attemptsEach = 12;

describe.skipIf(missing !== undefined)(`ten thousand bots${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  beforeAll(async () => {
    stage = await createStage();
    picket = await stage.start({ args: ['--log-level', 'info'] });
  });
  afterAll(async () => {
    await picket?.stop();
    await stage?.close();
  });

  test('those refused stay refused, the others are slowed, people are served, and everybody is told', async () => {
    const people = ordinaryTraffic(picket.ports.traffic);
    const stream = openStream(picket.ports.als);
    // The first ones, few enough to be denied.
    for (let attempt = 0; attempt < attemptsEach; attempt++) {
      await stream.send(Array.from({ length: 20 }, (_, bot) => failedLogin(bot, attempt)));
      await sleep(20);
    }
    await waitFor('the first ones are refused', async () =>
      (await statusesOf(picket, [0, 7, 19])).every((status) => status === 403) ? true : undefined,
    );
    for (let from = 20; from < bots; from += 200)
      for (let attempt = 0; attempt < attemptsEach; attempt++)
        await stream.send(Array.from({ length: 200 }, (_, i) => failedLogin(from + i, attempt)));
    await waitFor(
      'all is seen',
      async () => (((await picket.status()).ledger?.received ?? 0) >= bots * attemptsEach ? true : undefined),
      { timeoutMs: 120_000 },
    );
    const condition = await waitFor(
      'WithinSafety is False',
      async () => {
        const found = (await picket.policy('shop'))?.status?.conditions?.find((c) => c.type === 'WithinSafety');
        return found?.status === 'False' ? found : undefined;
      },
      { timeoutMs: 120_000 },
    );
    expect(condition.reason).toBe('Eased');
    expect((await picket.policy('shop'))?.status?.activity?.suppressedBySafety).toBeGreaterThan(100);
    const events = await picket.read<{ reason: string; message: string; count: number }[]>('/api/v1/events');
    const told = events?.filter((event) => event.reason === 'SafetyLimit') ?? [];
    expect(told).toHaveLength(1);
    expect(told[0]?.message).toContain('throttles');
    // Nothing in force was lifted by their number.
    expect(await statusesOf(picket, [0, 7, 19])).toEqual([403, 403, 403]);
    // One decision on the campaign stands for those who look alike: their logins are refused.
    await waitFor(
      'a late login of the campaign is refused',
      async () => {
        const late = caller(picket.ports.traffic, botAddress(bots - 2), agentOf(bots - 2));
        const answer = await late.login('somebody', 'leaked');
        late.close();
        return answer === 403 ? true : undefined;
      },
      { everyMs: 500 },
    );
    // Who looks like nobody else is slowed: thirty requests a minute, so a burst of sixty is cut.
    const slowed = await waitFor(
      'a late bot is slowed',
      async () => {
        const late = caller(picket.ports.traffic, botAddress(bots - 1), agentOf(bots - 1));
        const answers = await Promise.all(Array.from({ length: 60 }, () => late.get('/v1/basket')));
        late.close();
        return answers.includes(429) ? answers : undefined;
      },
      { everyMs: 2_000 },
    );
    expect(slowed).not.toContain(403);
    const decisions = (await picket.verdicts()).filter((v) => v.status?.decision?.action === 'Deny');
    expect(decisions.filter((v) => v.spec.principal.kind === 'Campaign').length).toBeGreaterThan(0);
    stream.close();
    const { sent, bad } = await people.stop();
    expect(sent).toBeGreaterThan(40);
    expect(bad).toEqual([]);
    expect((await picket.verdicts()).length).toBeLessThanOrEqual(50);
  }, 600_000);
});

/** Half of them share a program, the others have nothing in common. */
function agentOf(bot: number): string {
  return bot % 2 === 0 ? 'stuffer/2.1' : `Mozilla/5.0 (bot ${bot})`;
}

/** Of those who have nothing in common, each sends another set of headers. */
function headersOf(bot: number): Record<string, string> {
  if (bot % 2 === 0) return {};
  const mixed = Math.imul(bot, 0x9e3779b1) >>> 16;
  return Object.fromEntries(shapeHeaders.filter((_, i) => mixed & (1 << i)).map((name) => [name, 'x']));
}

function botAddress(bot: number): string {
  return `127.${100 + (bot % 100)}.${Math.floor(bot / 100) % 250}.${1 + Math.floor(bot / 25_000)}`;
}

async function statusesOf(picket: Picket, some: number[]): Promise<number[]> {
  return Promise.all(
    some.map(async (bot) => {
      const one = caller(picket.ports.traffic, botAddress(bot), agentOf(bot));
      const status = await one.get('/v1/basket');
      one.close();
      return status;
    }),
  );
}

function failedLogin(bot: number, attempt: number): HTTPAccessLogEntry {
  const address = {
    address: {
      case: 'socketAddress' as const,
      value: { address: botAddress(bot), portSpecifier: { case: 'portValue' as const, value: 40_000 } },
    },
  };
  const flow = { 'login:request.username': `victim-${bot}-${attempt}`, 'login:response.ok': false };
  return create(HTTPAccessLogEntrySchema, {
    commonProperties: {
      downstreamRemoteAddress: address,
      downstreamDirectRemoteAddress: address,
      startTime: timestampFromMs(Date.now()),
      timeToLastDownstreamTxByte: { nanos: 1_000_000 },
      duration: { nanos: 1_000_000 },
      accessLogType: AccessLogType.DownstreamEnd,
      metadata: { filterMetadata: { [FLOW_METADATA_NAMESPACE]: flow } },
    },
    request: {
      requestMethod: RequestMethod.POST,
      authority: 'shop.example',
      path: '/v1/login',
      userAgent: agentOf(bot),
      requestId: `${bot}-${attempt}`,
      requestHeaders: { ':method': 'POST', ...headersOf(bot) },
    },
    response: { responseCode: 200, responseBodyBytes: 20n },
  });
}

function openStream(port: number): { send(entries: HTTPAccessLogEntry[]): Promise<void>; close(): void } {
  const Client = makeGenericClientConstructor(accessLogService, 'AccessLogService');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  type Open = (done: (error: ServiceError | null) => void) => {
    write(bytes: Buffer, done: () => void): boolean;
    end(): void;
  };
  const call = (client['streamAccessLogs'] as unknown as Open).call(client, () => undefined);
  let first = true;
  return {
    send: (entries) =>
      new Promise((resolve) => {
        call.write(Buffer.from(encodeMessage(entries, first ? 'driver' : undefined)), () => resolve());
        first = false;
      }),
    close() {
      call.end();
      client.close();
    },
  };
}
