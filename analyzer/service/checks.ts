/** How an analyzer and its neighbours are, for a doctor. Pure. */
import type { HealthCheck } from '@picket/runtime/health.ts';
import type { AnalyzerView } from './metrics.ts';

const completenessGoal = 0.99;
const maxLagMs = 10_000;

export interface AnalyzerFacts {
  /** Why nothing passes on the bus; undefined = all is well, or it is not open yet. */
  busTrouble: string | undefined;
  /** Undefined while it starts. */
  view: Pick<AnalyzerView, 'store' | 'streams' | 'completeness' | 'publisher'> | undefined;
  /** Close of the last tick, Unix ms; 0 before the first. */
  lastTickAt: number;
  now: number;
}

export function analyzerChecks({ busTrouble, view, lastTickAt, now }: AnalyzerFacts): HealthCheck[] {
  const check = (name: string, result: HealthCheck['result'], message: string): HealthCheck => ({
    name,
    result,
    message,
  });
  const checks = [busTrouble ? check('NATS', 'failure', busTrouble) : check('NATS', 'ok', 'connected')];
  if (!view) return checks;
  const { store, streams, completeness, publisher } = view;
  if (store)
    checks.push(
      store.failingSinceMs > 0
        ? check('store', 'failure', `has taken nothing since ${iso(store.failingSinceMs)}; ${store.held} rows wait`)
        : check('store', 'ok', `${store.stored} rows stored`),
    );
  if (publisher)
    checks.push(
      publisher.trouble === undefined
        ? check('status', 'ok', 'written')
        : check(
            'status',
            'failure',
            `${publisher.failing} objects cannot be written and are tried further: ${publisher.trouble}`,
          ),
    );
  checks.push(
    streams.length === 0
      ? check('access logs', 'warning', 'no Envoy sends any')
      : check('access logs', 'ok', `${streams.length} streams are open`),
  );
  const known = completeness.filter(({ status }) => status === 'Known');
  const least = known.toSorted((a, b) => a.ratio - b.ratio)[0];
  if (least)
    checks.push(
      check(
        'completeness',
        least.ratio < completenessGoal ? 'warning' : 'ok',
        `${(least.ratio * 100).toFixed(1)} % of the requests that ${least.node} counted at ${least.prefix} were seen`,
      ),
    );
  const lag = now - lastTickAt;
  if (lastTickAt > 0 && lag > maxLagMs && streams.length > 0)
    checks.push(check('analysis', 'warning', `is ${Math.round(lag / 1000)} s behind what arrives`));
  return checks;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
