/**
 * Completeness: of the requests that an Envoy finished, how many reached us. Proved per Envoy process and connection
 * manager against Envoy's own counter `http.<prefix>.downstream_rq_completed`.
 *
 * An epoch begins with the first sample of a process: counter and entries are compared from there on. Entries are
 * told to lie before or after a sample by their completion time, and a sample is judged `lagMs` after it was taken,
 * because Envoy holds entries back for its flush interval. Without a counter there is no number: `Unknown`, never 100 %.
 * An API shows the value of the connection managers that serve it.
 */
export interface Completeness {
  /** One finished request, as it arrives; `completedAtMs` on our clock, `api` "" when it belongs to none. */
  seen(manager: ManagerName, completedAtMs: number, api: string): void;
  /** One reading of the counter. */
  sample(manager: ManagerName, sample: CounterSample): void;
  /** Judges samples that are old enough, and answers for all connection managers known. */
  report(nowMs: number): CompletenessReport[];
  /**
   * The least ratio of the connection managers that served the API in the last ten minutes, as judged at the last
   * report; undefined while that of one of them is not known.
   */
  ofApi(api: string, nowMs: number): number | undefined;
  /** For checkpoints: with it, what a restart of ours lost stays visible. */
  state(): CompletenessState;
}

export interface ManagerName {
  /** Envoy's node id. */
  node: string;
  /** `stat_prefix` of the connection manager; entries carry a log name, whose prefix the caller knows. */
  prefix: string;
}

export interface CounterSample {
  /** Requests completed by this process so far. */
  completed: number;
  /** Seconds, `server.uptime`. */
  uptimeS: number;
  /** When the reading was taken, by our clock. */
  atMs: number;
}

export interface CompletenessReport extends ManagerName {
  /** Those it served in the last ten minutes. */
  apis: string[];
  status: 'Known' | 'Unknown';
  /** CamelCase; why it is unknown, "" when known. */
  reason: '' | 'NoCounter' | 'NotYetJudged' | 'NoRequests' | 'SeenMoreThanCompleted';
  /** Since the epoch began. */
  seen: number;
  expected: number;
  /** seen / expected, 0 to 1; NaN when unknown. */
  ratio: number;
  /** Start of the epoch; NaN before the first sample. */
  sinceMs: number;
}

export type CompletenessState = [ManagerName, ManagerState][];

interface ManagerState {
  /** Entries so far. */
  total: number;
  /** When the newest entry of each API was completed. */
  apis: Record<string, number>;
  epoch?: { sinceMs: number; completed: number; uptimeS: number; seenBefore: number };
  /** The sample that waits to be judged; `after` counts entries completed after it. */
  pending?: CounterSample & { after: number; opensEpoch: boolean };
  judged?: { seen: number; expected: number };
  lastCompleted: number;
  lastUptimeS: number;
}

/** Scheduling, several streams, entries at a sample's very instant: a surplus below this is noise. */
const SURPLUS_SHARE = 0.01;
const SURPLUS_ENTRIES = 5;
/** Without a request for so long, a connection manager does not serve an API. */
const SERVING_MS = 600_000;

export interface CompletenessOptions {
  /** Flush interval and way here; 3 s unless told. */
  lagMs?: number;
  /** Past this many connection managers, entries of new ones are not followed (their report would say Unknown). */
  maxManagers?: number;
  state?: CompletenessState;
}

export function createCompleteness(options: CompletenessOptions = {}): Completeness {
  const { lagMs = 3_000, maxManagers = 4_096 } = options;
  const byNode = new Map<string, Map<string, ManagerState>>();
  let managers = 0;
  for (const [name, state] of options.state ?? []) {
    const restored = stateOf(name);
    if (restored) Object.assign(restored, structuredClone(state));
  }

  return {
    seen(manager, completedAtMs, api) {
      const state = stateOf(manager);
      if (!state) return;
      state.total++;
      if (api !== '') state.apis[api] = completedAtMs;
      if (state.pending && completedAtMs > state.pending.atMs) state.pending.after++;
    },
    sample(manager, sample) {
      const state = stateOf(manager);
      if (!state) return;
      const restarted = sample.uptimeS < state.lastUptimeS || sample.completed < state.lastCompleted;
      state.lastUptimeS = sample.uptimeS;
      state.lastCompleted = sample.completed;
      if (restarted) {
        delete state.epoch;
        delete state.pending;
        delete state.judged;
      } else if (state.pending) {
        judge(state, sample.atMs);
        // Samples that come faster than the lag would push each other out for ever.
        if (state.pending) return;
      }
      state.pending = { ...sample, after: 0, opensEpoch: !state.epoch };
    },
    report(nowMs) {
      const reports: CompletenessReport[] = [];
      for (const [node, prefixes] of byNode) {
        for (const [prefix, state] of prefixes) {
          judge(state, nowMs);
          const apis = Object.keys(state.apis).filter((api) => isServing(state, api, nowMs));
          reports.push({ node, prefix, apis, ...reportOf(state) });
        }
      }
      return reports;
    },
    ofApi(api, nowMs) {
      let least: number | undefined;
      for (const prefixes of byNode.values())
        for (const state of prefixes.values()) {
          if (!isServing(state, api, nowMs)) continue;
          const { status, reason, ratio } = reportOf(state);
          if (status === 'Known') least = Math.min(least ?? 1, ratio);
          // What is only not judged yet, or was idle since, says nothing against the others.
          else if (reason !== 'NotYetJudged' && reason !== 'NoRequests') return undefined;
        }
      return least;
    },
    state() {
      return [...byNode].flatMap(([node, prefixes]) =>
        [...prefixes].map(([prefix, state]): [ManagerName, ManagerState] => [{ node, prefix }, structuredClone(state)]),
      );
    },
  };

  function stateOf({ node, prefix }: ManagerName): ManagerState | undefined {
    const known = byNode.get(node)?.get(prefix);
    if (known || managers >= maxManagers) return known;
    const prefixes = byNode.get(node) ?? new Map<string, ManagerState>();
    const state: ManagerState = { total: 0, apis: {}, lastCompleted: 0, lastUptimeS: 0 };
    byNode.set(node, prefixes.set(prefix, state));
    managers++;
    return state;
  }

  function judge(state: ManagerState, nowMs: number): void {
    const { pending, epoch } = state;
    if (!pending || nowMs - pending.atMs < lagMs) return;
    const seenBefore = state.total - pending.after;
    delete state.pending;
    if (pending.opensEpoch || !epoch) {
      state.epoch = { sinceMs: pending.atMs, completed: pending.completed, uptimeS: pending.uptimeS, seenBefore };
    } else {
      state.judged = { seen: seenBefore - epoch.seenBefore, expected: pending.completed - epoch.completed };
    }
  }
}

function isServing({ apis }: ManagerState, api: string, nowMs: number): boolean {
  const lastAtMs = apis[api];
  return lastAtMs !== undefined && nowMs - lastAtMs <= SERVING_MS;
}

function reportOf(state: ManagerState): Omit<CompletenessReport, keyof ManagerName | 'apis'> {
  const { judged, epoch } = state;
  const sinceMs = epoch?.sinceMs ?? Number.NaN;
  const unknown = (reason: CompletenessReport['reason']) => ({
    ...{ status: 'Unknown' as const, reason, sinceMs, ratio: Number.NaN },
    ...(judged ?? { seen: 0, expected: 0 }),
  });
  if (!judged) return unknown(epoch || state.pending ? 'NotYetJudged' : 'NoCounter');
  if (judged.expected === 0) return unknown('NoRequests');
  const surplus = judged.seen - judged.expected;
  // Two Envoys under one node id, or another log under this name: a ratio would hide real losses.
  if (surplus > Math.max(SURPLUS_ENTRIES, judged.expected * SURPLUS_SHARE)) return unknown('SeenMoreThanCompleted');
  return { status: 'Known', reason: '', ...judged, ratio: Math.min(1, judged.seen / judged.expected), sinceMs };
}
