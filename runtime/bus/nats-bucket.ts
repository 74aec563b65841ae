/**
 * `Bucket` over a JetStream stream laid out as a NATS key-value bucket, so that `nats kv` reads it. Made here instead
 * of through the client's own bucket type, which knows neither per-message expiry nor the markers it leaves.
 */
import {
  DeliverPolicy,
  DiscardPolicy,
  headers,
  type JetStreamClient,
  type JetStreamManager,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
  nanos,
  type StreamConfig,
} from 'nats';
import type { Bucket } from './bus.ts';
import { busErrorFrom } from './nats-error.ts';
import { follow } from './nats-follow.ts';
import { checkBucketName, checkKey } from './subject.ts';

export interface NatsBucketOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  jetstream: JetStreamClient;
  name: string;
  ensureStream(config: Partial<StreamConfig> & { name: string }, again: boolean): Promise<void>;
  onTrouble(what: string, error: unknown): void;
}

const maxBucketBytes = 256 * 1024 * 1024;
const maxValueBytes = 1024 * 1024;
/** How long a deletion stays visible to watchers that are away. They also see it by what is no longer present. */
const markerTtlS = 3600;

/** Servers since 2.11 expire single messages. */
type WithMessageTtl = StreamConfig & { allow_msg_ttl: boolean; subject_delete_marker_ttl: number };

export async function createNatsBucket(options: NatsBucketOptions): Promise<Bucket> {
  const { connection, manager, jetstream, name } = options;
  checkBucketName(name);
  const stream = `KV_${name}`;
  const prefix = `$KV.${name}.`;
  const expires = canExpire(connection.info?.version ?? '');
  const config: Partial<StreamConfig> & { name: string } = {
    name: stream,
    subjects: [`${prefix}>`],
    max_msgs_per_subject: 1,
    max_bytes: maxBucketBytes,
    max_msg_size: maxValueBytes,
    // A full bucket refuses, instead of forgetting decisions in force.
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
    ...(expires
      ? ({ allow_msg_ttl: true, subject_delete_marker_ttl: nanos(markerTtlS * 1000) } satisfies Partial<WithMessageTtl>)
      : {}),
  };
  await options.ensureStream(config, false);

  const store = async (key: string, value: Uint8Array, header: MsgHdrs): Promise<void> => {
    checkKey(key);
    try {
      await jetstream.publish(prefix + key, value, { headers: header });
    } catch (error) {
      throw busErrorFrom(error, `bucket ${name}, key ${key}`);
    }
  };

  return {
    async put(key, value, { ttlMs } = {}) {
      const header = headers();
      // Whole seconds, one at least, are what the server knows.
      if (expires && ttlMs !== undefined) header.set('Nats-TTL', `${Math.max(1, Math.ceil(ttlMs / 1000))}s`);
      await store(key, value, header);
    },
    async delete(key) {
      const header = headers();
      header.set('KV-Operation', 'DEL');
      if (expires) header.set('Nats-TTL', `${markerTtlS}s`);
      await store(key, new Uint8Array(), header);
    },
    async get(key) {
      checkKey(key);
      try {
        const message = await manager.streams.getMessage(stream, { last_by_subj: prefix + key });
        return isDeletion(message.header) ? undefined : message.data;
      } catch (error) {
        // 10037: no message on that subject.
        if (error instanceof NatsError && error.api_error?.err_code === 10037) return undefined;
        throw busErrorFrom(error, `bucket ${name}, key ${key}`);
      }
    },
    watch(watcher) {
      const known = new Set<string>();
      let unseen = new Set<string>();
      let missing = 0;
      let everSynced = false;
      const synced = (): void => {
        for (const key of unseen) {
          known.delete(key);
          watcher.onEntry(key, undefined);
        }
        unseen = new Set();
        if (!everSynced) watcher.onSynced();
        everSynced = true;
      };
      return follow({
        connection,
        manager,
        async begin() {
          await options.ensureStream(config, everSynced);
          return { stream, config: { filter_subject: `${prefix}>`, deliver_policy: DeliverPolicy.LastPerSubject } };
        },
        onStart(pending) {
          unseen = new Set(known);
          missing = pending;
          if (missing === 0) synced();
        },
        onMessage(message) {
          const key = message.subject.slice(prefix.length);
          unseen.delete(key);
          if (isDeletion(message.headers)) {
            if (known.delete(key)) watcher.onEntry(key, undefined);
          } else {
            known.add(key);
            watcher.onEntry(key, message.payload);
          }
          if (missing > 0 && --missing === 0) synced();
        },
        onTrouble: (error) => options.onTrouble(`watch of bucket ${name}`, error),
      });
    },
  };
}

/** A deletion by us, or the marker that the server leaves when a message expires. */
function isDeletion(header: MsgHdrs | undefined): boolean {
  return header !== undefined && (header.has('KV-Operation') || header.has('Nats-Marker-Reason'));
}

function canExpire(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 11);
}
