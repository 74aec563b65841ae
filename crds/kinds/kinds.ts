import type { Kind } from '../schema/kind.ts';
import { behaviorPolicy } from './behavior-policy.ts';
import { complianceReport } from './compliance-report.ts';
import { policyExemption } from './policy-exemption.ts';
import { protectedApi } from './protected-api.ts';
import { reputationFeed } from './reputation-feed.ts';
import { riskVerdict } from './risk-verdict.ts';
import { trafficSensor } from './traffic-sensor.ts';

/** Every kind of `picket.dev/v1alpha1`, in the order a reader meets them. */
export const kinds: readonly Kind[] = [
  protectedApi,
  behaviorPolicy,
  riskVerdict,
  policyExemption,
  reputationFeed,
  trafficSensor,
  complianceReport,
];
