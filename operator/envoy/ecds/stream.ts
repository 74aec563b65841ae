import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  ResourceSchema,
} from '@picket/proto/gen/envoy/service/discovery/v3/discovery_pb.js';
import { typeUrls } from '../render/names.ts';
import { type EcdsResource, parseVersion } from './resource.ts';

/** What one delta stream reports to whoever publishes. */
export interface StreamEvents {
  /** Envoy holds this content now; `version` is Envoy's own name for it. */
  accepted(resource: string, hash: string): void;
  refused(resource: string, hash: string, message: string): void;
  /** Envoy came with a state newer than what we would serve. */
  newerElsewhere(resource: string, revision: number): void;
}

export interface StreamOptions {
  /** What to serve now; undefined before decisions were loaded or for an unknown name. */
  current(resource: string): EcdsResource | undefined;
  known(resource: string): boolean;
  send(response: DeltaDiscoveryResponse): void;
  events: StreamEvents;
  /** Lifetime of a resource in Envoy without a heartbeat, milliseconds. */
  ttlMs: number;
  /** How long an unresolved refusal may last before heartbeats for that resource stop, milliseconds. */
  refusalGraceMs: number;
  /** Durations, milliseconds. */
  elapsed(): number;
}

/** One delta ECDS stream: what Envoy subscribed to, has been sent and has answered. */
export interface EcdsStream {
  onRequest(request: DeltaDiscoveryRequest): void;
  /** Sends what is current, unless Envoy has it, refused it, or still owes an answer. */
  push(resource: string): void;
  /** Tells Envoy that what it acknowledged last still holds. */
  heartbeat(): void;
  /** Whether an answer to the current version is still to come. */
  awaits(resource: string): boolean;
  /** How long Envoy has owed an answer, milliseconds; 0 when it owes none. */
  overdueMs(): number;
  /** Whether Envoy's last answer for the resource was a refusal. */
  refusing(resource: string): boolean;
}

interface Subscription {
  /** Version string and content hash that Envoy acknowledged last. */
  acked: { version: string; hash: string } | undefined;
  outstanding: { nonce: string; version: string; hash: string; sentAt: number } | undefined;
  /** Content that Envoy refused; never sent again on this stream. */
  refused: Set<string>;
  /** When the first refusal since the last acknowledgement came. */
  refusedAt: number | undefined;
  /** The newer revision that Envoy reported; older ones are not sent. */
  atLeast: number;
}

/** Refused contents remembered per resource; far more than a bisection of a full layer takes. */
const maxRefused = 256;

export function createEcdsStream(options: StreamOptions): EcdsStream {
  const subscriptions = new Map<string, Subscription>();
  const byNonce = new Map<string, string>();
  let nonces = 0;

  function subscribe(name: string, knownVersion: string | undefined): void {
    if (!options.known(name)) {
      options.send(response({ removedResources: [name] }));
      return;
    }
    forgetNonce(name);
    const subscription: Subscription = {
      acked: undefined,
      outstanding: undefined,
      refused: subscriptions.get(name)?.refused ?? new Set(),
      refusedAt: undefined,
      atLeast: 0,
    };
    subscriptions.set(name, subscription);
    const had = knownVersion === undefined ? undefined : parseVersion(knownVersion);
    if (had && knownVersion !== undefined) {
      subscription.acked = { version: knownVersion, hash: had.hash };
      subscription.atLeast = had.revision;
    }
    push(name);
  }

  /** An answer to what was sent before an end of the subscription, or before it began anew, says nothing. */
  function forgetNonce(name: string): void {
    const nonce = subscriptions.get(name)?.outstanding?.nonce;
    if (nonce !== undefined) byNonce.delete(nonce);
  }

  function push(name: string): void {
    const subscription = subscriptions.get(name);
    const resource = options.current(name);
    if (!subscription || !resource || subscription.outstanding) return;
    if (subscription.acked?.hash === resource.hash) {
      // Same content under another replica's name: nothing to send, but Envoy's clock for it starts again.
      if (subscription.atLeast > 0) {
        subscription.atLeast = 0;
        sendHeartbeat(name, subscription.acked.version);
      }
      subscription.refusedAt = undefined;
      options.events.accepted(name, resource.hash);
      return;
    }
    if (subscription.refused.has(resource.hash)) return;
    if (subscription.atLeast > resource.revision) {
      options.events.newerElsewhere(name, subscription.atLeast);
      return;
    }
    subscription.atLeast = 0;
    const message = response({
      resources: [
        create(ResourceSchema, {
          name,
          version: resource.version,
          resource: resource.body,
          ttl: durationFromMs(options.ttlMs),
        }),
      ],
    });
    subscription.outstanding = {
      ...{ nonce: message.nonce, version: resource.version, hash: resource.hash },
      sentAt: options.elapsed(),
    };
    byNonce.set(message.nonce, name);
    options.send(message);
  }

  function onAnswer(nonce: string, error: string | undefined): void {
    const name = byNonce.get(nonce);
    byNonce.delete(nonce);
    // A heartbeat's answer, or one from before an unsubscription: proves nothing new.
    const subscription = name === undefined ? undefined : subscriptions.get(name);
    if (name === undefined || subscription?.outstanding?.nonce !== nonce) return;
    const { version, hash } = subscription.outstanding;
    subscription.outstanding = undefined;
    if (error === undefined) {
      subscription.acked = { version, hash };
      subscription.refusedAt = undefined;
      options.events.accepted(name, hash);
    } else {
      if (subscription.refused.size >= maxRefused) subscription.refused.clear();
      subscription.refused.add(hash);
      subscription.refusedAt ??= options.elapsed();
      options.events.refused(name, hash, error);
    }
    if (error !== undefined || options.current(name)?.hash !== hash) push(name);
  }

  function sendHeartbeat(name: string, version: string): void {
    options.send(
      response({ resources: [create(ResourceSchema, { name, version, ttl: durationFromMs(options.ttlMs) })] }),
    );
  }

  function response(fields: {
    resources?: ReturnType<typeof create<typeof ResourceSchema>>[];
    removedResources?: string[];
  }) {
    nonces++;
    return create(DeltaDiscoveryResponseSchema, {
      typeUrl: typeUrls.typedExtensionConfig,
      nonce: String(nonces),
      systemVersionInfo: '',
      ...fields,
    });
  }

  return {
    onRequest(request) {
      for (const name of request.resourceNamesUnsubscribe) {
        forgetNonce(name);
        subscriptions.delete(name);
      }
      for (const name of request.resourceNamesSubscribe) subscribe(name, request.initialResourceVersions[name]);
      // Spontaneous changes of subscription carry no nonce and answer nothing.
      if (request.responseNonce !== '') onAnswer(request.responseNonce, request.errorDetail?.message);
    },
    push,
    heartbeat() {
      for (const [name, { acked, refusedAt, outstanding }] of subscriptions) {
        // A version on its way brings a new lifetime, and the old name could already be the wrong one.
        if (!acked || outstanding) continue;
        // A refused successor means that what Envoy holds may be expired by now: let it fade.
        if (refusedAt !== undefined && options.elapsed() - refusedAt >= options.refusalGraceMs) continue;
        sendHeartbeat(name, acked.version);
      }
    },
    overdueMs() {
      const now = options.elapsed();
      let longest = 0;
      for (const { outstanding } of subscriptions.values())
        if (outstanding) longest = Math.max(longest, now - outstanding.sentAt);
      return longest;
    },
    awaits: (name) => subscriptions.get(name)?.outstanding !== undefined,
    refusing: (name) => subscriptions.get(name)?.refusedAt !== undefined,
  };
}
