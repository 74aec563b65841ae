import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type EnvoyAck, EnvoyAckSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { ackKey, Bucket, parseAckKey } from '@picket/proto/subjects.ts';
import type { Bus, Bucket as BusBucket } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { type LayerName, layerNames } from '@picket/proto/enforcement-metadata.ts';
import type { ResourceName } from '../render/names.ts';

/** What each Envoy of a fleet holds, by its own acknowledgements, whichever replica it is connected to. */
export interface EnvoyAcks {
  connected(envoy: string): void;
  disconnected(envoy: string): void;
  /** `ids` are the decisions in the version that the Envoy acknowledged. */
  accepted(envoy: string, layer: LayerName, ids: ReadonlySet<string>): void;
  /** The Envoy holds this content of a resource. */
  acceptedContent(envoy: string, resource: ResourceName, hash: string): void;
  /** Connected Envoys that hold this content, and what one of them said against it. */
  contentHolders(
    resource: ResourceName,
    hash: string,
  ): { programmed: number; total: number; error: string | undefined };
  refused(envoy: string, resource: string, error: string): void;
  cleared(envoy: string, resource: string): void;
  /** Decisions of a layer that every Envoy connected to this replica holds. */
  heldByAll(layer: LayerName): ReadonlySet<string>;
  /** How many Envoys there are or should be, and how many hold a decision, as it is now. */
  holding(): { total: number; holdersOf(decision: string): number };
  /** How many Envoys are connected, to whichever replica. */
  connectedEnvoys(): number;
  snapshot(): EnvoyAck[];
  close(): Promise<void>;
}

interface EnvoyRecord {
  connected: boolean;
  layers: Map<LayerName, ReadonlySet<string>>;
  contents: Map<ResourceName, string>;
  errors: Map<string, string>;
  ackedAtMs: number;
  forget?: NodeJS.Timeout;
}

const nothing: ReadonlySet<string> = new Set();
/** Decisions told to other replicas, hot layers first: what the bus takes in one message. Alone there is nobody to tell. */
const maxTold = 30_000;
const tellingOrder = [...layerNames].sort((a, b) => Number(b.endsWith('.hot')) - Number(a.endsWith('.hot')));
/** Acknowledgements of several layers within this time are one write. */
const writeDelayMs = 50;
/** What a replica that vanished said of its Envoys is forgotten after this; the others say it again before. */
const entryTtlMs = 60_000;
const repeatMs = 20_000;

export async function createEnvoyAcks(options: {
  bus: Bus;
  fleet: string;
  /** "" = no other replica serves the fleet. */
  replica: string;
  clock: Clock;
  /** Envoys that there should be, by whoever counts them; those that are connected, if more. */
  expected(): number;
  /** How long what a vanished Envoy holds may still be in force, milliseconds. */
  fadeMs: number;
  onChange(): void;
  onWriteFailed(error: unknown): void;
}): Promise<EnvoyAcks> {
  const bucket: BusBucket = await options.bus.bucket(Bucket.acks);
  const records = new Map<string, EnvoyRecord>();
  /** Envoys connected to other replicas, as those say. */
  const elsewhere = new Map<string, EnvoyAck>();
  const dirty = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const told = options.replica === '' ? 0 : maxTold;

  function record(envoy: string): EnvoyRecord {
    let found = records.get(envoy);
    if (!found) {
      found = { connected: true, layers: new Map(), contents: new Map(), errors: new Map(), ackedAtMs: 0 };
      records.set(envoy, found);
    }
    return found;
  }

  function touch(envoy: string): void {
    dirty.add(envoy);
    options.onChange();
    if (timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      for (const name of dirty) write(name);
      dirty.clear();
    }, writeDelayMs);
    timer.unref();
  }

  function write(envoy: string): void {
    const found = records.get(envoy);
    const key = ackKey({ fleet: options.fleet, envoy });
    const done = found
      ? bucket.put(key, toBinary(EnvoyAckSchema, message(envoy, found, told)), { ttlMs: entryTtlMs })
      : bucket.delete(key);
    done.catch(options.onWriteFailed);
  }

  /** An Envoy moves from one replica to another: the last to have it connected speaks for it. */
  function hear(key: string, value: Uint8Array | undefined): void {
    const { fleet, envoy } = parseAckKey(key);
    if (fleet !== options.fleet) return;
    const ack = value === undefined ? undefined : fromBinary(EnvoyAckSchema, value);
    const mine = records.get(envoy);
    if (!ack || ack.replica === options.replica) {
      if (elsewhere.delete(envoy)) options.onChange();
      return;
    }
    if (mine?.connected) {
      if (!ack.connected) touch(envoy);
      return;
    }
    if (ack.connected && mine) {
      clearTimeout(mine.forget);
      records.delete(envoy);
      dirty.delete(envoy);
    }
    elsewhere.set(envoy, ack);
    options.onChange();
  }

  const repeat = setInterval(() => {
    for (const envoy of records.keys()) write(envoy);
  }, repeatMs);
  repeat.unref();
  const subscription = await bucket.watch({
    onEntry(key, value) {
      try {
        hear(key, value);
      } catch (error) {
        options.onWriteFailed(error);
      }
    },
    onSynced() {},
  });

  /** Envoys of other replicas that are connected there and not here. */
  function connectedElsewhere(): EnvoyAck[] {
    return [...elsewhere.values()].filter((ack) => ack.connected && !records.get(ack.envoy)?.connected);
  }

  const sets = new WeakMap<EnvoyAck, ReadonlySet<string>>();
  function idsOf(ack: EnvoyAck): ReadonlySet<string> {
    const known = sets.get(ack) ?? new Set(ack.decisionIds);
    sets.set(ack, known);
    return known;
  }

  function heldBy({ layers }: EnvoyRecord): Set<string> {
    return new Set(tellingOrder.flatMap((layer) => [...(layers.get(layer) ?? [])]));
  }

  function message(envoy: string, found: EnvoyRecord, most = Number.POSITIVE_INFINITY): EnvoyAck {
    return create(EnvoyAckSchema, {
      fleet: options.fleet,
      envoy,
      connected: found.connected,
      decisionIds: most === 0 ? [] : [...heldBy(found)].slice(0, most),
      ackedAtMs: BigInt(Math.round(found.ackedAtMs)),
      error: [...found.errors].map(([resource, error]) => `${resource}: ${error}`).join('; '),
      replica: options.replica,
      contents: Object.fromEntries(found.contents),
      refusals: Object.fromEntries(found.errors),
    });
  }

  return {
    connected(envoy) {
      const found = record(envoy);
      clearTimeout(found.forget);
      found.connected = true;
      touch(envoy);
    },
    disconnected(envoy) {
      const found = records.get(envoy);
      if (!found) return;
      found.connected = false;
      found.forget = setTimeout(() => {
        records.delete(envoy);
        touch(envoy);
      }, options.fadeMs);
      found.forget.unref();
      touch(envoy);
    },
    accepted(envoy, layer, ids) {
      const found = record(envoy);
      found.layers.set(layer, ids);
      found.errors.delete(layer);
      found.ackedAtMs = options.clock.now();
      touch(envoy);
    },
    acceptedContent(envoy, resource, hash) {
      const { contents } = record(envoy);
      if (contents.get(resource) === hash) return;
      contents.set(resource, hash);
      touch(envoy);
    },
    contentHolders(resource, hash) {
      let [programmed, total] = [0, 0];
      let error: string | undefined;
      for (const found of records.values()) {
        if (!found.connected) continue;
        total++;
        error ??= found.errors.get(resource);
        if (found.contents.get(resource) === hash) programmed++;
      }
      for (const ack of connectedElsewhere()) {
        total++;
        error ??= ack.refusals[resource];
        if (ack.contents[resource] === hash) programmed++;
      }
      return { programmed, total: Math.max(total, options.expected()), error };
    },
    refused(envoy, resource, error) {
      record(envoy).errors.set(resource, error);
      touch(envoy);
    },
    cleared(envoy, resource) {
      if (record(envoy).errors.delete(resource)) touch(envoy);
    },
    heldByAll(layer) {
      let held: ReadonlySet<string> | undefined;
      for (const { connected, layers } of records.values()) {
        if (!connected) continue;
        const ids = layers.get(layer) ?? nothing;
        held = held ? new Set([...held].filter((id) => ids.has(id))) : ids;
      }
      return held ?? nothing;
    },
    holding() {
      const held: ReadonlySet<string>[][] = connectedElsewhere().map((ack) => [idsOf(ack)]);
      for (const { connected, layers } of records.values())
        if (connected) held.push([...layers.values()].filter((ids) => ids.size > 0));
      return {
        total: Math.max(held.length, options.expected()),
        holdersOf(decision) {
          let holders = 0;
          for (const layers of held) if (layers.some((ids) => ids.has(decision))) holders++;
          return holders;
        },
      };
    },
    connectedEnvoys() {
      let count = connectedElsewhere().length;
      for (const { connected } of records.values()) if (connected) count++;
      return count;
    },
    snapshot: () => [...[...records].map(([envoy, found]) => message(envoy, found)), ...connectedElsewhere()],
    async close() {
      clearTimeout(timer);
      clearInterval(repeat);
      await subscription.stop();
      for (const { forget } of records.values()) clearTimeout(forget);
      for (const name of dirty) write(name);
      dirty.clear();
    },
  };
}
