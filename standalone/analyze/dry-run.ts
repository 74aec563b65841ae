/** What decisions would have met: the matching that Envoy does, on observations, for "what would have happened". */
import { type Action, FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { DecisionChange } from '@picket/analyzer/decide/coordinator-output.ts';
import { F, type ObservationBatch } from '@picket/analyzer/observation.ts';
import type { CampaignTrait } from '@picket/analyzer/verdict.ts';
import type { ActedOn } from './collector.ts';
import { actionName } from './labels.ts';

export interface DryRun {
  /** @param traits what a campaign's requests have in common; empty for plain principals */
  apply(change: DecisionChange, traits: readonly CampaignTrait[]): void;
  /** The hardest decision in force that the observation meets. */
  meets(batch: ObservationBatch, base: number, at: number): ActedOn | undefined;
}

interface InForce {
  action: Action;
  subject: string;
  expiresAt: number;
}

interface Campaign extends InForce {
  /** Field and value of each trait; all must agree. */
  traits: { field: number; value: string }[];
  loginsOnly: boolean;
}

/** Traits that an observation from a log can be held against. */
const traitFields: Readonly<Record<string, number>> = {
  address: F.address,
  network: F.network,
  userAgent: F.userAgent,
  ja4: F.ja4,
};

const fields: readonly [PrincipalKind, number][] = [
  [PrincipalKind.ADDRESS, F.address],
  [PrincipalKind.USER, F.user],
  [PrincipalKind.SESSION, F.session],
  [PrincipalKind.TOKEN, F.token],
  [PrincipalKind.APP, F.app],
];

export function createDryRun(): DryRun {
  const inForce = new Map<string, InForce>();
  const campaigns = new Map<string, Campaign>();
  return {
    apply({ event, decision }, traits) {
      const key = `${decision.kind}:${decision.pseudonym}`;
      if (event === 'suppressed') return;
      if (event === 'lifted' || event === 'expired') {
        inForce.delete(key);
        campaigns.delete(key);
        return;
      }
      const met = { action: decision.action, subject: decision.pseudonym, expiresAt: Number(decision.expiresAtMs) };
      if (decision.kind !== PrincipalKind.CAMPAIGN) {
        inForce.set(key, met);
        return;
      }
      const known = traits.flatMap(({ trait, value }) => {
        const field = traitFields[trait];
        return field === undefined ? [] : [{ field, value }];
      });
      const loginsOnly = decision.match.some((m) => m.predicate.case === 'operations');
      if (known.length > 0) campaigns.set(key, { ...met, traits: known, loginsOnly });
    },
    meets(batch, base, at) {
      if (inForce.size === 0 && campaigns.size === 0) return undefined;
      let hardest: InForce | undefined;
      let ordinary: string | undefined;
      for (const [kind, field] of fields) {
        const pseudonym = pseudonymAt(batch, base, field);
        if (pseudonym === '') continue;
        const met = inForce.get(`${kind}:${pseudonym}`);
        if (met && at < met.expiresAt && met.action > (hardest?.action ?? 0)) hardest = met;
        if (kind !== PrincipalKind.ADDRESS && !met) ordinary ??= pseudonym;
      }
      const flow = ((batch.u32[base + F.kinds] as number) >>> 8) & 0xff;
      for (const campaign of campaigns.values()) {
        if (at >= campaign.expiresAt || campaign.action <= (hardest?.action ?? 0)) continue;
        if (campaign.loginsOnly && flow !== FlowType.LOGIN && flow !== FlowType.PASSWORD_RESET) continue;
        if (campaign.traits.every(({ field, value }) => pseudonymAt(batch, base, field) === value)) hardest = campaign;
      }
      const action = hardest && actionName(hardest.action);
      if (!hardest || !action) return undefined;
      return { action, subject: hardest.subject, ...(ordinary === undefined ? {} : { ordinary }) };
    },
  };
}

function pseudonymAt(batch: ObservationBatch, base: number, field: number): string {
  const lo = batch.u32[base + field] as number;
  const hi = batch.u32[base + field + 1] as number;
  return (lo | hi) === 0 ? '' : hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
}
