/** Every detector there is, in the order of `detectorIds`; the order is part of the state format. */
import { bruteForce } from './brute-force.ts';
import { credentialStuffing } from './credential-stuffing.ts';
import type { DetectorFactory } from './detector.ts';
import { distributedStuffing } from './distributed-stuffing.ts';
import { excess } from './excess.ts';
import { objectEnumeration } from './object-enumeration.ts';
import { probing } from './probing.ts';
import { scraping } from './scraping.ts';
import { tokenAbuse } from './token-abuse.ts';

export const detectorFactories: readonly DetectorFactory[] = [
  bruteForce,
  credentialStuffing,
  distributedStuffing,
  objectEnumeration,
  scraping,
  tokenAbuse,
  excess,
  probing,
];

/** Changes whenever the same rows may give other findings (`detector-version.test.ts` insists); stored with each verdict. */
export const DETECTOR_VERSION = '12';
