/**
 * Follows a JetStream stream in order over an ephemeral push consumer. Whenever something may have been missed (a
 * reconnect, a jump in the delivery sequence, silence beyond the heartbeats) it starts a new consumer, so what the
 * caller sees is always a continuation or, where it asks for it, a fresh start.
 */
import {
  AckPolicy,
  type ConsumerConfig,
  createInbox,
  type JetStreamManager,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  nanos,
  type Subscription as NatsSubscription,
} from 'nats';
import type { Subscription } from './bus.ts';

export interface FollowOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  /** Called at each start: makes sure that the stream exists and says where to begin. */
  begin(): Promise<{ stream: string; config: Partial<ConsumerConfig> }>;
  /** A consumer is in place, and so many messages were there already. */
  onStart(pending: number): void;
  onMessage(message: FollowedMessage): void;
  onTrouble(error: unknown): void;
}

export interface FollowedMessage {
  subject: string;
  payload: Uint8Array;
  headers: MsgHdrs | undefined;
  /** Sequence in the stream. */
  seq: number;
}

const heartbeatMs = 2000;
const maxSilenceMs = heartbeatMs * 3;
const maxRetryDelayMs = 5000;

/** Resolves once the first consumer is in place. */
export async function follow(options: FollowOptions): Promise<Subscription> {
  const { connection, manager } = options;
  let stopped = false;
  /** Consumers before the current one are not listened to. */
  let generation = 0;
  let current: { stream: string; consumer: string; subscription: NatsSubscription } | undefined;
  let silence: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;

  const abandon = (): void => {
    generation++;
    clearTimeout(silence);
    clearTimeout(retry);
    if (!current) return;
    current.subscription.unsubscribe();
    // The server drops it by itself when this does not get through.
    if (!connection.isClosed()) manager.consumers.delete(current.stream, current.consumer).catch(() => {});
    current = undefined;
  };

  const start = async (): Promise<void> => {
    abandon();
    const mine = generation;
    const { stream, config } = await options.begin();
    if (stopped || mine !== generation) return;
    const inbox = createInbox();
    const waiting: Msg[] = [];
    let ready = false;
    let delivered = 0;
    const listen = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => restart('no heartbeat'), maxSilenceMs);
    };
    const take = (message: Msg): void => {
      if (message.headers?.code === 100) {
        const last = Number(message.headers.get('Nats-Last-Consumer') || delivered);
        if (message.reply) message.respond();
        else if (last !== delivered) restart('messages were lost');
        return;
      }
      const { seq, delivery } = sequencesOf(message.reply ?? '');
      if (delivery !== delivered + 1) {
        restart('messages were lost');
        return;
      }
      delivered++;
      options.onMessage({ subject: message.subject, payload: message.data, headers: message.headers, seq });
    };
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (mine !== generation) return;
        if (error) {
          restart(error.message);
          return;
        }
        listen();
        if (ready) take(message);
        else waiting.push(message);
      },
    });
    let consumer: string;
    try {
      const info = await manager.consumers.add(stream, {
        ...config,
        deliver_subject: inbox,
        ack_policy: AckPolicy.None,
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
        flow_control: true,
        idle_heartbeat: nanos(heartbeatMs),
        inactive_threshold: nanos(maxSilenceMs),
      });
      consumer = info.name;
      if (stopped || mine !== generation) {
        subscription.unsubscribe();
        return;
      }
      current = { stream, consumer, subscription };
      // Some of what was there may be delivered already, and waits.
      options.onStart(info.num_pending + info.delivered.consumer_seq);
    } catch (error) {
      subscription.unsubscribe();
      throw error;
    }
    ready = true;
    listen();
    for (const message of waiting) if (mine === generation) take(message);
  };

  const restart = (reason: string): void => {
    if (stopped || connection.isClosed()) return;
    abandon();
    options.onTrouble(reason);
    let delayMs = 100;
    const attempt = (): void => {
      start().catch((error: unknown) => {
        if (stopped || connection.isClosed()) return;
        options.onTrouble(error);
        retry = setTimeout(attempt, delayMs);
        delayMs = Math.min(delayMs * 2, maxRetryDelayMs);
      });
    };
    attempt();
  };

  await start();
  void (async () => {
    for await (const status of connection.status()) {
      if (stopped) return;
      if (status.type === 'reconnect') restart('reconnected');
    }
  })();
  return {
    async stop() {
      stopped = true;
      abandon();
    },
  };
}

/** `$JS.ACK[.domain.account].stream.consumer.deliveries.stream sequence.delivery sequence.time.pending[.random]` */
function sequencesOf(reply: string): { seq: number; delivery: number } {
  const tokens = reply.split('.');
  const first = tokens.length > 9 ? 4 : 2;
  return { seq: Number(tokens[first + 3]), delivery: Number(tokens[first + 4]) };
}
