/**
 * One of the 64 partitions: all keyed state of the keys it owns, and the only code that changes it. It works through the
 * updates of a tick in order and says what it found; it knows no clock, no thread and no other partition.
 */
import { F, Flag, reputationIn } from '../observation.ts';
import { detectorFactories } from '../detect/catalogue.ts';
import type { DerivedUpdate, Detector, Scene, Statement } from '../detect/detector.ts';
import {
  type ApiPopulation,
  addClaim,
  addSurprise,
  calibrate,
  cellOf,
  clearPartial,
  createPartial,
  type Partial,
  type Snapshot,
} from '../detect/population.ts';
import { W, type WindowTable } from '../detect/window-table.ts';
import { hex16, mixed, mixKey } from '../profile/hash.ts';
import { PrincipalTable } from '../profile/principal-table.ts';
import type { SlabState } from '../profile/slab.ts';
import type { Standing } from '../profile/standing-count.ts';
import type { CampaignTrait } from '../verdict.ts';
import { detectorIds } from '../verdict.ts';
import { PARTITIONS, stableShape, UPDATE_WORDS, type UpdateList } from './fan-out.ts';
import { Key, KIND_BITS, KIND_COUNT, Trait } from './key-kind.ts';
import type { Sighting } from './sighting.ts';

/** A statement below this is not worth a message. */
const minSurprise = 2;
/** From here on a window teaches nothing (invariant 11) and its principal leaves good standing. */
const anomalous = 4;
/** Findings repeat when they grow by this much, or after this time while they hold. */
const growth = 0.3;
const repeatMs = 10_000;

const principalKinds = new Set<number>([Key.user, Key.app, Key.token, Key.session, Key.address, Key.client]);

export interface PartitionState {
  principals: SlabState;
  tables: SlabState[];
  /** Learned since the last merge. */
  partials: [number, Partial][];
  announced: number[];
}

export interface Usage {
  bytes: number;
  /** What `bytes` can grow to, whatever arrives. */
  maxBytes: number;
  profiles: number;
  evicted: number;
  refused: number;
}

export interface PartitionOutput {
  sightings: Sighting[];
  derived: DerivedUpdate[];
  /** Addresses that another number of principals is served through now. */
  shared: SharedAddress[];
}

export interface SharedAddress {
  api: number;
  lo: number;
  hi: number;
  sharedBy: number;
}

export interface Drained {
  partials: Map<number, Partial>;
  standing: ReadonlyMap<number, Standing> | undefined;
}

export class Partition {
  readonly index: number;
  readonly #principals = new PrincipalTable();
  readonly #detectors: Detector[];
  readonly #tables: WindowTable[];
  readonly #byKind: Detector[][];
  #partials = new Map<number, Partial>();
  /** Handed over at the last drain, merged since; and those free to be used again. */
  #drained: Partial[] = [];
  readonly #spare: Partial[] = [];
  #announced = new Set<number>();
  #snapshot: Snapshot = new Map();
  #output: PartitionOutput = { sightings: [], derived: [], shared: [] };
  /** Slot of the current principal, -1 when the key is none. */
  #principal = -1;
  /** `F.flags` of the observation at hand, or of the one behind a derived update. */
  #flags = 0;
  readonly #scene: Scene;

  /** @param tableBytes what the tables of all partitions may take */
  constructor(index: number, tableBytes: number) {
    this.index = index;
    this.#detectors = detectorFactories.map((make, i) =>
      make((table, base, learn) => this.#close(i, table, base, learn)),
    );
    this.#tables = this.#detectors.flatMap((d) => [...d.tables]);
    const budget = { bytes: tableBytes / PARTITIONS };
    for (const { slab } of [this.#principals, ...this.#tables]) slab.budget = budget;
    this.#byKind = Array.from({ length: KIND_COUNT }, (_, kind) =>
      this.#detectors.filter((d) => d.kinds.includes(kind)),
    );
    const partialOf = (): Partial => this.#partial(this.#scene.api);
    this.#scene = {
      u32: new Uint32Array(0),
      f64: new Float64Array(0),
      record: 0,
      code: 0,
      kind: 0,
      valueLo: 0,
      valueHi: 0,
      keyLo: 0,
      keyHi: 0,
      api: 0,
      at: 0,
      seq: 0,
      sharedBy: 1,
      requests: 0,
      population: undefined,
      // Most updates teach nothing: an empty partial would cost more than the update.
      get partial() {
        return partialOf();
      },
      say: (table, base, statement) => this.#say(table, base, statement),
      derive: (update) => this.#output.derived.push(update),
    };
  }

  /** Works through what other keys sent in the last tick, then through this tick's observations; undefined: nothing came of it. */
  process(
    u32: Uint32Array,
    f64: Float64Array,
    list: UpdateList,
    received: readonly DerivedUpdate[],
    snapshot: Snapshot,
  ): PartitionOutput | undefined {
    this.#snapshot = snapshot;
    const scene = this.#scene;
    scene.u32 = u32;
    scene.f64 = f64;
    for (const update of received) this.#receive(update);
    const words = list.words;
    for (let i = 0; i < list.length; i++) {
      const at = i * UPDATE_WORDS;
      const record = (words[at] as number) * 64;
      scene.record = record;
      this.#flags = u32[record + F.flags] as number;
      scene.code = words[at + 1] as number;
      scene.kind = scene.code & (KIND_COUNT - 1);
      scene.valueLo = words[at + 2] as number;
      scene.valueHi = words[at + 3] as number;
      scene.keyLo = words[at + 4] as number;
      scene.keyHi = words[at + 5] as number;
      scene.seq = f64[(record + F.seq) >> 1] as number;
      scene.at = f64[(record + F.eventAt) >> 1] as number;
      this.#enter(u32[record + F.api] as number);
      this.#principal = principalKinds.has(scene.kind)
        ? this.#principals.touch(u32, f64, record, scene.keyLo, scene.keyHi, scene.code, scene.api, scene.at)
        : -1;
      scene.sharedBy = this.#principals.sharedBy(this.#principal);
      scene.requests = this.#principals.requestsOf(this.#principal);
      if (scene.kind === Key.address && this.#principal >= 0 && this.#principals.sharersChanged)
        this.#output.shared.push({ api: scene.api, lo: scene.valueLo, hi: scene.valueHi, sharedBy: scene.sharedBy });
      for (const detector of this.#byKind[scene.kind] as Detector[]) detector.update(scene);
    }
    const output = this.#output;
    if (output.sightings.length + output.derived.length + output.shared.length === 0) return undefined;
    this.#output = { sightings: [], derived: [], shared: [] };
    return output;
  }

  /** Something was learned since the last drain. */
  get learned(): boolean {
    return this.#partials.size > 0;
  }

  /**
   * Hands over what was learned since the last call, to be merged before the next; with `sweep` also closes the windows that ended.
   *
   * @param ages after how long a principal stands, by API
   */
  drain(now: number, sweep: boolean, snapshot: Snapshot, ages: ReadonlyMap<number, number>): Drained {
    this.#snapshot = snapshot;
    const tables = this.#tables;
    if (sweep) for (let i = 0; i < tables.length; i++) (tables[i] as WindowTable).sweep(now);
    const partials = this.#partials;
    for (const partial of this.#drained) {
      clearPartial(partial);
      this.#spare.push(partial);
    }
    this.#drained = [...partials.values()];
    if (partials.size > 0) this.#partials = new Map();
    return { partials, standing: sweep ? this.#principals.standing(now, ages) : undefined };
  }

  /** Bytes of state, and keys that were turned away or lost their place. */
  usage(): Usage {
    const slabs = [this.#principals.slab, ...this.#tables.map((t) => t.slab)];
    const tables = [this.#principals, ...this.#tables];
    return {
      bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
      maxBytes: tables.reduce((sum, table) => sum + table.maxBytes, 0),
      profiles: this.#principals.slab.used,
      evicted: slabs.reduce((sum, slab) => sum + slab.evicted, 0),
      refused: slabs.reduce((sum, slab) => sum + slab.refused, 0),
    };
  }

  save(): PartitionState {
    return {
      principals: this.#principals.save(),
      tables: this.#tables.map((t) => t.save()),
      partials: [...this.#partials],
      announced: [...this.#announced],
    };
  }

  load(state: PartitionState): void {
    this.#principals.load(state.principals);
    if (this.#tables.length !== state.tables.length) throw new RangeError('partition state has another set of tables');
    for (const [i, table] of this.#tables.entries()) table.load(state.tables[i] as SlabState);
    this.#partials = new Map(state.partials);
    // A checkpoint need not say which sums were written.
    for (const partial of this.#partials.values()) partial.written = -1;
    this.#announced = new Set(state.announced);
  }

  #enter(api: number): void {
    const scene = this.#scene;
    scene.api = api;
    scene.population = this.#snapshot.get(api);
    if (this.#announced.has(api)) return;
    // The population begins with an API's first traffic, whether or not it taught anything.
    this.#announced.add(api);
    this.#partial(api);
  }

  #partial(api: number): Partial {
    let partial = this.#partials.get(api);
    if (!partial) this.#partials.set(api, (partial = this.#spare.pop() ?? createPartial()));
    return partial;
  }

  #receive(update: DerivedUpdate): void {
    const scene = this.#scene;
    mixKey(update.valueLo, update.valueHi, update.api, update.code);
    scene.record = -1;
    this.#flags = update.flags;
    scene.code = update.code;
    scene.kind = update.code & (KIND_COUNT - 1);
    scene.valueLo = update.valueLo;
    scene.valueHi = update.valueHi;
    scene.keyLo = mixed.lo;
    scene.keyHi = mixed.hi;
    scene.seq = update.seq;
    scene.at = update.at;
    this.#enter(update.api);
    this.#principal = this.#principals.slab.find(scene.keyLo, scene.keyHi);
    scene.sharedBy = this.#principals.sharedBy(this.#principal);
    scene.requests = this.#principals.requestsOf(this.#principal);
    this.#detectors[update.detector]?.receive?.(scene, update);
  }

  #say(table: WindowTable, base: number, statement: Statement): void {
    const scene = this.#scene;
    const { f32, f64 } = table.slab;
    const surprise = statement.surprise;
    if (surprise > (f32[base + W.best] as number)) f32[base + W.best] = surprise;
    if (surprise < minSurprise) return;
    const saidAt = f64[(base + W.saidAt) >> 1] as number;
    if (surprise < (f32[base + W.said] as number) + growth && scene.at - saidAt < repeatMs) return;
    const detector = detectorIds.indexOf(statement.detector);
    const calibrated = calibrate(scene.population, cellOf(detector, table.comparedAs ?? scene.kind), surprise);
    if (calibrated < minSurprise) return;
    f32[base + W.said] = surprise;
    f64[(base + W.saidAt) >> 1] = scene.at;
    if (calibrated >= anomalous) this.#principals.blame(this.#principal, scene.at);
    const { campaign, ...rest } = statement;
    this.#output.sightings.push({
      detector: rest.detector,
      family: rest.family,
      observed: rest.observed,
      expected: rest.expected,
      unit: rest.unit,
      baseline: rest.baseline,
      successShare: rest.successShare,
      surprise: calibrated,
      api: scene.api,
      code: scene.code,
      valueLo: scene.valueLo,
      valueHi: scene.valueHi,
      since: f64[(base + W.windowAt) >> 1] as number,
      until: scene.at,
      populationSince: scene.population?.since ?? 0,
      sampleSeqs: [...table.samples(base), scene.seq],
      facts: this.#principals.facts(this.#principal, scene.at),
      reputation: reputationIn(this.#flags),
      exempt: (this.#flags & Flag.exempt) !== 0,
      traits: scene.record >= 0 ? traitsOf(scene) : [],
      ...(campaign
        ? {
            campaign: {
              precision: campaign.precision,
              coverage: campaign.coverage,
              addresses: campaign.addresses,
              accounts: campaign.accounts,
              standing: campaign.standing,
            },
          }
        : {}),
      partition: this.index,
      seq: scene.seq,
    });
  }

  #close(detector: number, table: WindowTable, base: number, learn: (partial: Partial, kind: number) => void): void {
    const { f32, u32 } = table.slab;
    const api = u32[base + W.api] as number;
    const kind = table.comparedAs ?? (u32[base + W.code] as number) & (KIND_COUNT - 1);
    const best = f32[base + W.best] as number;
    const population: ApiPopulation | undefined = this.#snapshot.get(api);
    const partial = this.#partial(api);
    partial.tests++;
    const claimed = calibrate(population, cellOf(detector, kind), best);
    addClaim(partial, cellOf(detector, kind), claimed);
    if (claimed >= anomalous) return;
    addSurprise(partial, cellOf(detector, kind), best);
    learn(partial, kind);
  }
}

/** Names the layout of a partition's tables: state of another layout cannot be loaded. */
export function partitionLayout(): string {
  const { principals, tables } = new Partition(0, Number.POSITIVE_INFINITY).save();
  return [principals, ...tables].map((s) => `${s.words}/${s.doorkeeper.length}`).join(' ');
}

/** The values behind a client or trait key, read from the observation that raised it. */
function traitsOf(scene: Scene): CampaignTrait[] {
  const value = (field: number): string =>
    hex16(scene.u32[scene.record + field] as number, scene.u32[scene.record + field + 1] as number);
  if (scene.kind === Key.client)
    return [
      { trait: 'address', value: value(F.address) },
      { trait: 'userAgent', value: value(F.userAgent) },
      ...shapeTrait(scene),
    ];
  // Of a single principal all are told: they show whether a campaign's decision covers it.
  const every = Trait.userAgent | Trait.ja4 | Trait.headerShape | Trait.network | Trait.asn;
  const set = scene.kind === Key.trait ? scene.code >>> KIND_BITS : every;
  const traits: CampaignTrait[] = [];
  if (set & Trait.userAgent) traits.push({ trait: 'userAgent', value: value(F.userAgent) });
  if (set & Trait.ja4) traits.push({ trait: 'ja4', value: value(F.ja4) });
  if (set & Trait.headerShape) traits.push(...shapeTrait(scene));
  if (set & Trait.network) traits.push({ trait: 'network', value: value(F.network) });
  if (set & Trait.asn) traits.push({ trait: 'asn', value: String(scene.u32[scene.record + F.asn]) });
  return traits;
}

function shapeTrait(scene: Scene): CampaignTrait[] {
  const shape = stableShape(scene.u32[scene.record + F.headerShape] as number) >>> 0;
  return shape >>> 16 === 0 ? [] : [{ trait: 'headerShape', value: shape.toString(16).padStart(8, '0') }];
}
