/** Wire numbers of the policy messages as the words of the Kubernetes API. */
import { Action, Level, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type * as Crd from '@picket/crds/gen/types.ts';

export const kindNames: Readonly<Record<number, Crd.PrincipalKind>> = {
  [PrincipalKind.USER]: 'User',
  [PrincipalKind.APP]: 'App',
  [PrincipalKind.TOKEN]: 'Token',
  [PrincipalKind.SESSION]: 'Session',
  [PrincipalKind.DEVICE]: 'Device',
  [PrincipalKind.ADDRESS]: 'Address',
  [PrincipalKind.NETWORK]: 'Network',
  [PrincipalKind.WORKLOAD]: 'Workload',
  [PrincipalKind.CAMPAIGN]: 'Campaign',
};

export const levelNames: Readonly<Record<Level, Crd.Level>> = {
  [Level.UNSPECIFIED]: 'None',
  [Level.NONE]: 'None',
  [Level.LOW]: 'Low',
  [Level.ELEVATED]: 'Elevated',
  [Level.HIGH]: 'High',
  [Level.CRITICAL]: 'Critical',
};

export const actionNames: Readonly<Record<number, Crd.Action>> = {
  [Action.TAG]: 'Tag',
  [Action.THROTTLE]: 'Throttle',
  [Action.CHALLENGE]: 'Challenge',
  [Action.DENY]: 'Deny',
};

export const modeNames: Readonly<Record<number, Crd.Mode>> = {
  [Mode.OBSERVE]: 'Observe',
  [Mode.DRY_RUN]: 'DryRun',
  [Mode.ENFORCE]: 'Enforce',
};
