/** Objects and a host for the tests of this room. */
import type { BehaviorPolicy, ProtectedAPI, RiskVerdict, RiskVerdictStatus } from '@picket/crds/gen/types.ts';
import type { Host } from '@picket/runtime/host.ts';

const apiVersion = 'picket.dev/v1alpha1';

function meta(name: string) {
  return {
    name,
    namespace: 'shop',
    uid: '00000000-0000-0000-0000-000000000001',
    generation: 1,
    resourceVersion: '1',
    creationTimestamp: '2026-02-01T00:00:00Z',
  };
}

export function buildApi(name: string, status: ProtectedAPI['status'] = {}): ProtectedAPI {
  return {
    apiVersion,
    kind: 'ProtectedAPI',
    metadata: meta(name),
    spec: { hosts: ['*'], criticality: 'Normal' },
    status,
  };
}

export function buildPolicy(
  name: string,
  mode: BehaviorPolicy['spec']['mode'],
  status: BehaviorPolicy['status'] = {},
): BehaviorPolicy {
  return {
    apiVersion,
    kind: 'BehaviorPolicy',
    metadata: meta(name),
    spec: { targetRefs: [{ kind: 'ProtectedAPI', name }], mode } as BehaviorPolicy['spec'],
    status,
  };
}

export function buildVerdict(name: string, status: RiskVerdictStatus): RiskVerdict {
  return {
    apiVersion,
    kind: 'RiskVerdict',
    metadata: meta(name),
    spec: { apiRef: { name: 'payments' }, principal: { kind: 'User', pseudonym: '7f3a9c12d04be865' } },
    status,
  };
}

/** Keeps what a command prints. */
export function recordingHost(): Host & { written(): string; complained(): string; exitCode(): number } {
  let out = '';
  let err = '';
  let exitCode = 0;
  return {
    out: async (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    cwd: '/',
    random: () => 0,
    columns: 80,
    colour: false,
    onStop: () => () => {},
    setExitCode: (code) => void (exitCode = code),
    written: () => out,
    complained: () => err,
    exitCode: () => exitCode,
  };
}
