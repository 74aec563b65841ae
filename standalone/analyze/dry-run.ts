/** What decisions would have met: the matching that Envoy does, on observations, for "what would have happened". */
import { type Action, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { DecisionChange } from '@picket/analyzer/decide/coordinator.ts';
import { F, type ObservationBatch } from '@picket/analyzer/observation.ts';
import type { ActedOn } from './collector.ts';
import { actionName } from './labels.ts';

export interface DryRun {
  apply(change: DecisionChange): void;
  /** The hardest decision in force that the observation meets. */
  meets(batch: ObservationBatch, base: number, at: number): ActedOn | undefined;
}

interface InForce {
  action: Action;
  subject: string;
  expiresAt: number;
}

const fields: readonly [PrincipalKind, number][] = [
  [PrincipalKind.ADDRESS, F.address],
  [PrincipalKind.USER, F.user],
  [PrincipalKind.SESSION, F.session],
  [PrincipalKind.TOKEN, F.token],
  [PrincipalKind.APP, F.app],
];

export function createDryRun(): DryRun {
  const inForce = new Map<string, InForce>();
  return {
    apply({ event, decision }) {
      const key = `${decision.kind}:${decision.pseudonym}`;
      if (event === 'suppressed') return;
      if (event === 'lifted' || event === 'expired') inForce.delete(key);
      else
        inForce.set(key, {
          action: decision.action,
          subject: decision.pseudonym,
          expiresAt: Number(decision.expiresAtMs),
        });
    },
    meets(batch, base, at) {
      if (inForce.size === 0) return undefined;
      let hardest: InForce | undefined;
      let ordinary: string | undefined;
      for (const [kind, field] of fields) {
        const lo = batch.u32[base + field] as number;
        const hi = batch.u32[base + field + 1] as number;
        if ((lo | hi) === 0) continue;
        const pseudonym = hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
        const met = inForce.get(`${kind}:${pseudonym}`);
        if (met && at < met.expiresAt && met.action > (hardest?.action ?? 0)) hardest = met;
        if (kind !== PrincipalKind.ADDRESS && !met) ordinary ??= pseudonym;
      }
      const action = hardest && actionName(hardest.action);
      if (!hardest || !action) return undefined;
      return { action, subject: hardest.subject, ...(ordinary === undefined ? {} : { ordinary }) };
    },
  };
}
