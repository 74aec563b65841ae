/** `Bus` over NATS JetStream. Streams and buckets are made with limits; whoever comes first makes them. */
import {
  connect,
  type ConnectionOptions,
  DeliverPolicy,
  DiscardPolicy,
  Events,
  type JetStreamManager,
  type NatsConnection,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats';
import { type Bus, BusError } from './bus.ts';
import { createNatsBucket } from './nats-bucket.ts';
import { busErrorFrom, messageOf } from './nats-error.ts';
import { follow } from './nats-follow.ts';
import { checkSubject, subjectMatches } from './subject.ts';

export interface NatsBusOptions {
  /** `nats://host:port`, several for a cluster. */
  servers: string[];
  /** Credentials and TLS, as the `nats` package takes them. */
  connection?: Pick<ConnectionOptions, 'user' | 'pass' | 'token' | 'authenticator' | 'tls' | 'name'>;
  /** Copies of each stream and bucket; 3 in a cluster. Default 1. */
  replicas?: number;
  /** Called with what goes wrong behind the scenes and is being repaired. */
  onTrouble(what: string, error: unknown): void;
}

const eventSubjects = ['verdict', 'finding', 'decision', 'policy', 'loss'].map((kind) => `picket.v1.${kind}.>`);
const gibibyte = 1024 ** 3;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** How long the server recognises a repeated message id. */
const duplicateWindowMs = 2 * minuteMs;

const streams: readonly Pick<StreamConfig, 'name' | 'subjects' | 'max_age' | 'max_bytes'>[] = [
  { name: 'picket_events', subjects: eventSubjects, max_age: nanos(7 * dayMs), max_bytes: gibibyte },
  { name: 'picket_updates', subjects: ['picket.v1.update.*'], max_age: nanos(dayMs), max_bytes: 4 * gibibyte },
];

/** @throws BusError `unavailable` when no server answers, `no_jetstream` when it answers but keeps nothing. */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  const where = options.servers.join(', ');
  let connection: NatsConnection;
  try {
    connection = await connect({
      ...options.connection,
      servers: options.servers,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      reconnectJitter: 250,
      timeout: 5000,
    });
  } catch (error) {
    throw new BusError('unavailable', `no NATS server answers at ${where}: ${messageOf(error)}`, true, error);
  }
  try {
    const manager = await connection.jetstreamManager();
    return createNatsBus(connection, manager, options);
  } catch (error) {
    await connection.close();
    throw new BusError(
      'no_jetstream',
      `NATS at ${where} has no JetStream (${messageOf(error)}): start nats-server with -js or enable it for the account`,
      false,
      error,
    );
  }
}

function createNatsBus(connection: NatsConnection, manager: JetStreamManager, options: NatsBusOptions): Bus {
  const replicas = options.replicas ?? 1;
  const jetstream = connection.jetstream();
  const ensured = new Map<string, Promise<void>>();
  let trouble: string | undefined;
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) trouble = `disconnected from ${connection.getServer()}, trying again`;
      else if (type === Events.Reconnect) trouble = undefined;
    }
  })();

  /** Makes the stream if it is not there; an existing one keeps its settings. */
  const makeStream = async (config: Partial<StreamConfig> & { name: string }): Promise<void> => {
    try {
      await manager.streams.add({ ...config, num_replicas: replicas, storage: StorageType.File });
    } catch (error) {
      // 10058: it exists with other settings.
      if (!(error instanceof NatsError && error.api_error?.err_code === 10058)) throw busErrorFrom(error, config.name);
    }
  };
  const ensureStream = (config: Partial<StreamConfig> & { name: string }, again: boolean): Promise<void> => {
    const before = again ? undefined : ensured.get(config.name);
    if (before) return before;
    const made = makeStream(config);
    ensured.set(config.name, made);
    made.catch(() => ensured.delete(config.name));
    return made;
  };
  const streamOf = (subject: string): Partial<StreamConfig> & { name: string } => {
    const found = streams.find((stream) => stream.subjects.some((pattern) => subjectMatches(pattern, subject)));
    if (!found) throw new BusError('refused', `no stream keeps subject ${subject}`, false);
    return {
      ...found,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      duplicate_window: nanos(duplicateWindowMs),
    };
  };

  return {
    bucket: (name) =>
      createNatsBucket({ connection, manager, jetstream, name, ensureStream, onTrouble: options.onTrouble }),
    async publish(subject, payload, { messageId } = {}) {
      checkSubject(subject, false);
      await ensureStream(streamOf(subject), false);
      try {
        await jetstream.publish(subject, payload, messageId === undefined ? {} : { msgID: messageId });
      } catch (error) {
        throw busErrorFrom(error, subject);
      }
    },
    async subscribe(subject, handler) {
      checkSubject(subject, true);
      const config = streamOf(subject);
      /** Sequence of the last message that was handled; what comes again is recognised by it. */
      let handled: number | undefined;
      return follow({
        connection,
        manager,
        async begin() {
          await ensureStream(config, handled !== undefined);
          const { state } = await manager.streams.info(config.name);
          // A stream that was lost and made again counts from one.
          if (handled === undefined) handled = state.last_seq;
          else if (state.last_seq < handled) handled = 0;
          const from = handled + 1;
          return {
            stream: config.name,
            config: {
              filter_subject: subject,
              deliver_policy: DeliverPolicy.StartSequence,
              opt_start_seq: from,
            },
          };
        },
        onStart() {},
        onMessage(message) {
          if (message.seq <= (handled ?? 0)) return;
          handled = message.seq;
          handler(message.subject, message.payload);
        },
        onTrouble: (error) => options.onTrouble(`subscription ${subject}`, error),
      });
    },
    trouble: () => trouble,
    async close() {
      await connection.close();
    },
  };
}
