/** What really happened, held against verdicts: who stood behind each pseudonym, and what carried a campaign's traits. */
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { stableShape } from '@picket/analyzer/engine/fan-out.ts';
import { F, type ObservationBatch } from '@picket/analyzer/observation.ts';
import { hex16 } from '@picket/analyzer/profile/hash.ts';
import type { CampaignTrait, Verdict } from '@picket/analyzer/verdict.ts';
import type { RequestEvent } from '../scenarios/request-event.ts';

export interface Truth {
  /** Takes the observation at `base` that came of `event`. */
  add(event: RequestEvent, batch: ObservationBatch, base: number): void;
  /** Share of the principal's requests (a campaign's: of what carries its traits) that were attack, since the start. */
  attackShare(verdict: Verdict): number;
  /** Persona of most of a principal's requests, for reports. */
  personaOf(verdict: Verdict): string;
  attackRequests: number;
  /** Of them, started before or at `at`. */
  attackRequestsUntil(at: number): number;
}

interface Tally {
  attack: number;
  benign: number;
  personas: Map<string, number>;
}

interface Row {
  attack: boolean;
  login: boolean;
  values: Record<CampaignTrait['trait'], string>;
}

const fields: readonly (readonly [PrincipalKind, number])[] = [
  [PrincipalKind.USER, F.user],
  [PrincipalKind.APP, F.app],
  [PrincipalKind.TOKEN, F.token],
  [PrincipalKind.SESSION, F.session],
  [PrincipalKind.ADDRESS, F.address],
  [PrincipalKind.NETWORK, F.network],
];

/** 53 of 64 bits are enough to tell a few thousand apart, and cost no text. */
function keyOf(lo: number, hi: number): number {
  return (hi & 0x1f_ffff) * 2 ** 32 + lo;
}

export function createTruth(options: { traits: boolean }): Truth {
  const tallies = new Map<PrincipalKind, Map<number, Tally>>(fields.map(([kind]) => [kind, new Map()]));
  const rows: Row[] = [];
  const attackTimes: number[] = [];
  const tallyOf = ({ kind, pseudonym }: Verdict): Tally | undefined =>
    tallies.get(kind)?.get(keyOf(Number.parseInt(pseudonym.slice(8), 16), Number.parseInt(pseudonym.slice(0, 8), 16)));
  return {
    add(event, batch, base) {
      const attack = event.actor.label !== 'benign';
      const { u32 } = batch;
      const value = (at: number): string => hex16(u32[base + at] as number, u32[base + at + 1] as number);
      for (const [kind, at] of fields) {
        const [lo, hi] = [u32[base + at] as number, u32[base + at + 1] as number];
        if ((lo | hi) === 0) continue;
        const ofKind = tallies.get(kind) as Map<number, Tally>;
        let tally = ofKind.get(keyOf(lo, hi));
        if (!tally) ofKind.set(keyOf(lo, hi), (tally = { attack: 0, benign: 0, personas: new Map() }));
        if (attack) tally.attack++;
        else tally.benign++;
        tally.personas.set(event.actor.persona, (tally.personas.get(event.actor.persona) ?? 0) + 1);
      }
      if (attack) attackTimes.push(event.at);
      if (!options.traits) return;
      const shape = stableShape(u32[base + F.headerShape] as number) >>> 0;
      rows.push({
        attack,
        login: event.path === '/v1/login',
        values: {
          address: value(F.address),
          network: value(F.network),
          userAgent: value(F.userAgent),
          ja4: value(F.ja4),
          headerShape: shape.toString(16).padStart(8, '0'),
          asn: String(u32[base + F.asn]),
          operation: value(F.operation),
        },
      });
    },
    attackShare(verdict) {
      if (verdict.campaign) {
        const { traits } = verdict.campaign;
        // A campaign of a program behind an address is about all it does, any other about logins.
        const all = traits.some((t) => t.trait === 'address');
        const carrying = rows.filter((r) => (all || r.login) && traits.every((t) => r.values[t.trait] === t.value));
        return carrying.length === 0 ? 0 : carrying.filter((r) => r.attack).length / carrying.length;
      }
      const tally = tallyOf(verdict);
      return tally ? tally.attack / (tally.attack + tally.benign) : 0;
    },
    personaOf(verdict) {
      const tally = tallyOf(verdict);
      if (!tally) return 'campaign';
      return [...tally.personas].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0]?.[0] ?? '';
    },
    get attackRequests() {
      return attackTimes.length;
    },
    attackRequestsUntil: (at) => attackTimes.filter((t) => t <= at).length,
  };
}
