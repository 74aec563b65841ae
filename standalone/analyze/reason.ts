/** Findings as sentences that need no dictionary. */
import type { DetectorId, Finding } from '@picket/analyzer/verdict.ts';

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 });

/** What each detector's name means to somebody who has never seen one. */
export const detectorTitles: Readonly<Record<DetectorId, string>> = {
  bruteForce: 'Password guessing',
  credentialStuffing: 'Many accounts tried from one place',
  distributedStuffing: 'Accounts tried from many places at once',
  objectEnumeration: "Walking through other people's records",
  scraping: 'Reading in bulk',
  tokenAbuse: 'One credential used from too many places',
  excess: 'Far more requests than usual',
  probing: 'Looking for weak spots',
};

/** "Password guessing: 143 failed logins in 10 min, where 0.4 is usual". */
export function findingWords(f: Finding): string {
  const usual = f.expected > 0 ? `where ${shortNumber(f.expected)} is usual` : 'where none is usual';
  const basis = f.baseline.prior ? ', judged by what is usual elsewhere' : '';
  return `${detectorTitles[f.detector]}: ${shortNumber(f.observed)} ${f.unit}, ${usual}${basis}`;
}

/** A chance a person can picture: "1 in 20,000". */
export function chanceWords(p: number): string {
  if (!(p < 1)) return 'no surprise';
  if (p < 1e-12) return 'less than 1 in 10¹²';
  const odds = 1 / p;
  if (odds >= 1e9) return `1 in ${shortNumber(odds / 1e9)} billion`;
  if (odds >= 1e6) return `1 in ${shortNumber(odds / 1e6)} million`;
  return `1 in ${shortNumber(odds)}`;
}

/** Three significant digits, thousands grouped: 0.38, 12.5, 1,250. */
export function shortNumber(v: number): string {
  if (!Number.isFinite(v)) return '–';
  const rounded = Math.abs(v) >= 100 ? Math.round(v) : Number(v.toPrecision(Math.abs(v) >= 10 ? 3 : 2));
  return grouped.format(rounded);
}
