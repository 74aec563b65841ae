/** What decisions would have met: the matching that Envoy does, on observations, for "what would have happened". */
import { type Action, FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { DecisionChange } from '@picket/analyzer/decide/coordinator-output.ts';
import { hashKey } from '@picket/analyzer/identify/generation-map.ts';
import { F, type ObservationBatch } from '@picket/analyzer/observation.ts';
import { hex16, wordsOf } from '@picket/analyzer/profile/hash.ts';
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
  traits: { field: number; lo: number; hi: number }[];
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
  /** By kind, then by pseudonym as one number: each request of the log asks. */
  const inForce = new Map<PrincipalKind, Map<number, InForce>>(fields.map(([kind]) => [kind, new Map()]));
  const campaigns = new Map<string, Campaign>();
  let acting = 0;
  return {
    apply({ event, decision }, traits) {
      if (event === 'suppressed') return;
      const { kind, pseudonym } = decision;
      const { lo, hi } = wordsOf(pseudonym);
      if (event === 'lifted' || event === 'expired') {
        inForce.get(kind)?.delete(hashKey(lo, hi));
        campaigns.delete(pseudonym);
      } else {
        const met = { action: decision.action, subject: pseudonym, expiresAt: Number(decision.expiresAtMs) };
        inForce.get(kind)?.set(hashKey(lo, hi), met);
        const known = traits.flatMap(({ trait, value }) => {
          const field = traitFields[trait];
          return field === undefined ? [] : [{ field, ...wordsOf(value) }];
        });
        const loginsOnly = decision.match.some((m) => m.predicate.case === 'operations');
        if (kind === PrincipalKind.CAMPAIGN && known.length > 0)
          campaigns.set(pseudonym, { ...met, traits: known, loginsOnly });
      }
      acting = campaigns.size;
      for (const { size } of inForce.values()) acting += size;
    },
    meets({ u32 }, base, at) {
      if (acting === 0) return undefined;
      let hardest: InForce | undefined;
      let ordinary = -1;
      for (const [kind, field] of fields) {
        const lo = u32[base + field] as number;
        const hi = u32[base + field + 1] as number;
        if ((lo | hi) === 0) continue;
        const met = inForce.get(kind)?.get(hashKey(lo, hi));
        if (met && at < met.expiresAt && met.action > (hardest?.action ?? 0)) hardest = met;
        if (kind !== PrincipalKind.ADDRESS && !met && ordinary < 0) ordinary = field;
      }
      const flow = ((u32[base + F.kinds] as number) >>> 8) & 0xff;
      for (const campaign of campaigns.values()) {
        if (at >= campaign.expiresAt || campaign.action <= (hardest?.action ?? 0)) continue;
        if (campaign.loginsOnly && flow !== FlowType.LOGIN && flow !== FlowType.PASSWORD_RESET) continue;
        const meets = campaign.traits.every(
          ({ field, lo, hi }) => u32[base + field] === lo && u32[base + field + 1] === hi,
        );
        if (meets) hardest = campaign;
      }
      const action = hardest && actionName(hardest.action);
      if (!hardest || !action) return undefined;
      if (ordinary < 0) return { action, subject: hardest.subject };
      const pseudonym = hex16(u32[base + ordinary] as number, u32[base + ordinary + 1] as number);
      return { action, subject: hardest.subject, ordinary: pseudonym };
    },
  };
}
