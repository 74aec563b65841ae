import type { Clock } from '@picket/runtime/clock.ts';
import type { RenderedResource } from '../render/identify.ts';
import { type Bisection, createBisection } from './bisection.ts';
import { type EcdsResource, encodeResource, formatVersion } from './resource.ts';

/** One resource of a fleet: what it should hold, what is served, and what Envoys made of it. */
export interface Publisher {
  /** What the resource should hold changed. `gapMs`: least time since the last push. */
  want(gapMs: number): void;
  /** Renders again with the same decisions, for example because an API moved. */
  refresh(): void;
  /** Another replica served a newer revision: what we serve next must be newer still. */
  outdated(revision: number): void;
  accepted(hash: string): void;
  refused(hash: string, message: string): void;
  current(): EcdsResource | undefined;
  /** Decisions in a version by its content hash; undefined for content this process never made. */
  decisionsIn(hash: string): ReadonlySet<string> | undefined;
  /** Decisions that Envoy refuses, until they leave the resource. */
  refusedDecisions(): ReadonlyMap<string, string>;
  close(): void;
}

export interface PublisherOptions {
  /** Decisions that the resource should hold now. */
  wanted(): ReadonlySet<string>;
  /** Renders the resource with these decisions. */
  render(ids: ReadonlySet<string>): RenderedResource;
  /** Sends the current version to every stream. */
  publish(): void;
  /** Whether every Envoy that was sent the current version answered. */
  allAnswered(): boolean;
  /** What Envoy refused changed, or what is served did. */
  changed(): void;
  clock: Clock;
}

/** Versions whose content is remembered, so that late acknowledgements can be read, and how many ids they hold in all. */
const maxVersions = 64;
const maxRememberedIds = 400_000;
/** Refused contents remembered; far more than a bisection of a full layer makes. */
const maxRefused = 1_024;
/** A bisection does not wait longer for an Envoy that does not answer. */
const maxAnswerMs = 5_000;
/** How long to wait for our own watch when another replica was ahead. */
const catchUpMs = 2_000;

export function createPublisher(options: PublisherOptions): Publisher {
  const { clock } = options;
  let asked = false;
  let served: EcdsResource | undefined;
  let good: ReadonlySet<string> = new Set();
  let bisection: Bisection | undefined;
  let pushedAt = Number.NEGATIVE_INFINITY;
  let revision = 0;
  let timer: { dueAt: number; handle: NodeJS.Timeout } | undefined;
  let patience: NodeJS.Timeout | undefined;
  let lastRefusal = '';
  const refusedIds = new Map<string, string>();
  const refusedHashes = new Set<string>();
  const contents = new Map<string, ReadonlySet<string>>();

  /** False when Envoy refused this very content before: it is not sent again. */
  function serve(ids: ReadonlySet<string>): boolean {
    const encoded = encodeResource(options.render(ids));
    if (refusedHashes.has(encoded.hash)) return false;
    contents.delete(encoded.hash);
    contents.set(encoded.hash, ids);
    let remembered = 0;
    for (const { size } of contents.values()) remembered += size;
    for (const [oldest, { size }] of contents) {
      if (contents.size <= 2 || (contents.size <= maxVersions && remembered <= maxRememberedIds)) break;
      contents.delete(oldest);
      remembered -= size;
    }
    // An empty resource costs Envoy nothing, so the first decision after it need not wait.
    if (ids.size > 0) pushedAt = clock.elapsed();
    if (encoded.hash !== served?.hash || served.revision < revision) {
      revision = Math.max(revision + 1, clock.now());
      served = { ...encoded, revision, version: formatVersion(revision, encoded.hash) };
    }
    options.publish();
    options.changed();
    return true;
  }

  function serveWanted(): void {
    clearTimeout(timer?.handle);
    timer = undefined;
    if (!asked) return;
    const wanted = options.wanted();
    for (const id of refusedIds.keys()) if (!wanted.has(id)) refusedIds.delete(id);
    serve(new Set([...wanted].filter((id) => !refusedIds.has(id))));
  }

  function schedule(delayMs: number): void {
    const dueAt = clock.elapsed() + delayMs;
    if (timer && timer.dueAt <= dueAt) return;
    clearTimeout(timer?.handle);
    timer = { dueAt, handle: setTimeout(serveWanted, delayMs) };
    timer.handle.unref();
  }

  function tryNext(): void {
    clearTimeout(patience);
    const trial = bisection?.trial;
    if (!bisection) return;
    if (trial) {
      patience = setTimeout(() => judge(true), maxAnswerMs);
      patience.unref();
      // What was lifted meanwhile stays out of every trial.
      if (!serve(new Set([...trial].filter((id) => options.wanted().has(id))))) judge(false);
      return;
    }
    good = bisection.good;
    bisection = undefined;
    serveWanted();
  }

  function judge(accepted: boolean): void {
    if (!bisection) return;
    if (accepted) bisection.accepted();
    else bisection.refused();
    for (const id of bisection.bad) if (!refusedIds.has(id)) refusedIds.set(id, lastRefusal);
    tryNext();
  }

  return {
    want(gapMs) {
      asked = true;
      // A running bisection ends with what is wanted then.
      if (bisection) return;
      const waitMs = pushedAt + gapMs - clock.elapsed();
      if (waitMs <= 0) serveWanted();
      else schedule(waitMs);
    },
    refresh() {
      if (!bisection) serveWanted();
    },
    outdated(newer) {
      if (newer < revision) return;
      revision = newer + 1;
      schedule(catchUpMs);
    },
    accepted(hash) {
      if (hash !== served?.hash) return;
      if (!options.allAnswered()) return;
      if (bisection) judge(true);
      else good = contents.get(hash) ?? good;
    },
    refused(hash, message) {
      if (hash !== served?.hash) return;
      lastRefusal = message;
      if (refusedHashes.size >= maxRefused) refusedHashes.clear();
      refusedHashes.add(hash);
      if (bisection) {
        judge(false);
        return;
      }
      const content = contents.get(hash) ?? new Set<string>();
      const doubtful = [...content].filter((id) => !good.has(id));
      bisection = doubtful.length > 0 ? createBisection(good, doubtful) : createBisection([], content);
      for (const id of bisection.bad) refusedIds.set(id, message);
      tryNext();
    },
    current: () => served,
    decisionsIn: (hash) => contents.get(hash),
    refusedDecisions: () => refusedIds,
    close() {
      clearTimeout(timer?.handle);
      clearTimeout(patience);
    },
  };
}
