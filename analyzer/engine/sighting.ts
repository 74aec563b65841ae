/** What a partition tells the coordinator: a detector's statement with the facts of the key it is about. */
import type { CampaignFacts } from '../detect/detector.ts';
import type { PrincipalFacts } from '../profile/principal-table.ts';
import type { CampaignTrait, DetectorId, Family } from '../verdict.ts';

export interface Sighting {
  detector: DetectorId;
  family: Family;
  api: number;
  code: number;
  valueLo: number;
  valueHi: number;
  since: number;
  until: number;
  /** −log10 p after calibration. */
  surprise: number;
  observed: number;
  expected: number;
  unit: string;
  baseline: number;
  /** Event time the population's statistics go back to; 0 = none yet. */
  populationSince: number;
  successShare: number;
  sampleSeqs: number[];
  facts: PrincipalFacts;
  exempt: boolean;
  /** Weight 0..1 of the reputation lists that name it. */
  reputation: number;
  /** Client keys and campaigns: what narrows the match. */
  traits: CampaignTrait[];
  campaign?: CampaignFacts;
  partition: number;
  seq: number;
}
