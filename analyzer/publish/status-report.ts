/** Status of every API and of every policy, as it is now. */
import type { Verdict } from '../verdict.ts';
import { apiConditions, apiStatus, policyActivity, type StatusView, withinSafety } from './api-status.ts';
import type { Publisher } from './publisher.ts';

export function reportStatus(
  publisher: Publisher,
  views: readonly StatusView[],
  verdictsOf: (api: string) => readonly Verdict[],
  now: number,
): void {
  const byPolicy = new Map<string, StatusView[]>();
  for (const view of views) {
    const { traffic, learning, columns, ...status } = apiStatus(view, verdictsOf(view.api), now);
    publisher.status('ProtectedAPI', view.api, {
      status,
      figures: { ...(traffic ? { traffic } : {}), learning },
      ...(columns ? { columns } : {}),
      conditions: apiConditions(view, now),
    });
    const policy = view.policy.behavior?.policy ?? '';
    if (policy !== '') byPolicy.set(policy, [...(byPolicy.get(policy) ?? []), view]);
  }
  for (const [policy, of] of byPolicy)
    publisher.status('BehaviorPolicy', policy, {
      status: { activity: policyActivity(of) },
      conditions: [withinSafety(of)],
    });
}
