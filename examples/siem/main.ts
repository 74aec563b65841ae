/**
 * Reads Picket's events from JetStream and writes one line of JSON per event, in the Elastic Common Schema that most
 * SIEMs take. Each event is acknowledged after it was written, so a restart loses none and may repeat the last.
 *
 *   node examples/siem/main.ts nats://127.0.0.1:4222 [durable name]
 *
 * PICKET_NATS_USER and PICKET_NATS_PASSWORD where the server asks for them: of the chart's NATS, the user `events`.
 */
import { AckPolicy, connect, DeliverPolicy } from 'nats';
import type { DecisionEvent, VerdictEvent } from '@picket/crds/gen/types.ts';

interface CloudEvent {
  id: string;
  type: string;
  time: string;
  data: unknown;
}

const [url = 'nats://127.0.0.1:4222', durable = 'siem'] = process.argv.slice(2);
const { PICKET_NATS_USER: user, PICKET_NATS_PASSWORD: pass } = process.env;
const stream = 'picket_events';

const connection = await connect({
  servers: url,
  name: 'picket-siem-example',
  maxReconnectAttempts: -1,
  ...(user ? { user } : {}),
  ...(pass ? { pass } : {}),
});
const manager = await connection.jetstreamManager({ checkAPI: false });
await manager.consumers.add(stream, {
  durable_name: durable,
  ack_policy: AckPolicy.Explicit,
  deliver_policy: DeliverPolicy.All,
  filter_subjects: ['picket.v1.verdict.>', 'picket.v1.decision.>'],
});
const consumer = await connection.jetstream({ checkAPI: false }).consumers.get(stream, durable);
const messages = await consumer.consume();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void messages.close());
for await (const message of messages) {
  const line = JSON.stringify(toElastic(message.json<CloudEvent>()));
  await new Promise<void>((resolve, reject) =>
    process.stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve())),
  );
  message.ack();
}
await connection.drain();

function toElastic(event: CloudEvent): object {
  const base = { '@timestamp': event.time, 'event.id': event.id, 'event.provider': 'picket' };
  if (event.type === 'dev.picket.decision.v1') {
    const d = event.data as DecisionEvent;
    return {
      ...base,
      'event.kind': 'event',
      'event.category': ['intrusion_detection'],
      'event.action': `${d.change} ${d.action}`.toLowerCase(),
      'rule.name': d.policy,
      'user.hash': d.principal.pseudonym,
      'picket.mode': d.mode,
      'picket.verdict': `${d.namespace}/${d.verdict}`,
    };
  }
  const v = event.data as VerdictEvent;
  return {
    ...base,
    'event.kind': 'alert',
    'event.category': ['intrusion_detection'],
    'event.risk_score': v.status.score,
    'event.reason': v.status.findings?.map(({ detector }) => detector).join(','),
    'threat.technique.id': v.status.findings?.flatMap(({ oat = [] }) => oat),
    'user.hash': v.principal.pseudonym,
    'picket.principal': v.principal.kind,
    'picket.level': v.status.level,
    'picket.verdict': `${v.namespace}/${v.verdict}`,
  };
}
