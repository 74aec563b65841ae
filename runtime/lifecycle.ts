/** Ordered start and stop of what a process consists of, each step within a bound. */
import { PicketError, toPicketError } from './errors.ts';
import type { Logger } from './log.ts';

export interface Component {
  name: string;
  /** Resolves when the component does its work. `signal` aborts when the process shall end before that. */
  start(signal: AbortSignal): Promise<void>;
  /** Finishes what is in hand and lets go of everything. Called only after a `start` that resolved. */
  stop?(): Promise<void>;
  /** Bound for `start`; 30,000 unless told otherwise. */
  startWithinMs?: number;
  /** Bound for `stop`; 10,000 unless told otherwise. */
  stopWithinMs?: number;
}

export interface RunningProcess {
  /** Stops in reverse order; a second call waits for the first. Rejects with the first failure after all were tried. */
  stop(reason: string): Promise<void>;
  /** Resolves with the reason once everything stopped. */
  readonly stopped: Promise<string>;
}

/**
 * Starts the components in order. When one fails, those before it are stopped and the failure is thrown.
 *
 * @throws PicketError of the component, or `Timeout`
 */
export async function startComponents(
  components: readonly Component[],
  options: { logger: Logger; signal: AbortSignal },
): Promise<RunningProcess> {
  const { logger, signal } = options;
  const started: Component[] = [];
  let stopping: Promise<void> | undefined;
  const { promise: stopped, resolve: reportStopped } = Promise.withResolvers<string>();

  async function stopAll(): Promise<void> {
    const failures: PicketError[] = [];
    for (const component of started.toReversed()) {
      try {
        const work = component.stop?.() ?? Promise.resolve();
        await within(work, component.stopWithinMs ?? 10_000, `${component.name} did not stop`);
        logger.debug('component stopped', { name: component.name });
      } catch (thrown) {
        const error = toPicketError(thrown, `stop ${component.name}`);
        logger.error('component did not stop cleanly', { name: component.name, error });
        failures.push(error);
      }
    }
    if (failures[0]) throw failures[0];
  }

  for (const component of components) {
    const starting = new AbortController();
    const abort = () => starting.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      const work = component.start(starting.signal);
      await within(work, component.startWithinMs ?? 30_000, `${component.name} did not start`);
      started.push(component);
      logger.debug('component started', { name: component.name });
    } catch (thrown) {
      // A start that is too late must not go on behind our back.
      starting.abort();
      const error = toPicketError(thrown, `start ${component.name}`);
      await stopAll().catch(() => undefined);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  return {
    stop(reason) {
      stopping ??= stopAll().finally(() => reportStopped(reason));
      return stopping;
    },
    stopped,
  };
}

/** The signals a process can get; `process` is one such source. */
export interface SignalSource {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  off(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
}

/**
 * Aborts with the first SIGTERM or SIGINT, so that the process drains; a second one calls `onImpatient`, for a person
 * who does not want to wait.
 */
export function abortOnSignals(source: SignalSource, onImpatient: (signal: string) => void): AbortSignal & Disposable {
  const controller = new AbortController();
  const listeners = (['SIGTERM', 'SIGINT'] as const).map((name) => {
    const listener = () => {
      if (controller.signal.aborted) onImpatient(name);
      else controller.abort(new PicketError('Cancelled', `received ${name}`, { reason: name }));
    };
    source.on(name, listener);
    return { name, listener };
  });
  return Object.assign(controller.signal, {
    [Symbol.dispose]: () => {
      for (const { name, listener } of listeners) source.off(name, listener);
    },
  });
}

async function within(work: Promise<void>, boundMs: number, what: string): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new PicketError('Timeout', `${what} within ${boundMs} ms`)), boundMs);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
