/** What the doctor looks at before it says anything. */
import type { Condition } from '@picket/crds/gen/types.ts';
import type { HealthCheck } from '@picket/runtime/health.ts';

/** What was read, or why it could not be. */
export type Read<T> = { value: T } | { refused: string };

export interface CrdFact {
  kind: string;
  /** `protectedapis.picket.dev` */
  name: string;
  /** Left out when the cluster does not have it. */
  present?: { established: boolean; digest: string | undefined; why: string | undefined };
  /** Digest of the kind that this program knows. */
  wanted: string;
}

export interface RightFact {
  /** What a person wants to do, in words: `review verdicts`. */
  purpose: string;
  verb: string;
  resource: string;
  allowed: boolean;
}

export interface PodFact {
  name: string;
  ready: boolean;
  restarts: number;
  /** Why it waits or ended, in the words of Kubernetes. */
  reason: string | undefined;
  message: string | undefined;
}

/** A part of the installation: operator, analyzer, nats. */
export interface WorkloadFact {
  component: string;
  namespace: string;
  name: string;
  wanted: number;
  ready: number;
  image: string;
  pods: PodFact[];
  /** What the part says of itself and its neighbours; left out when it has no such port or was not asked. */
  health?: Read<ComponentHealth>;
}

/** What a process says under `/status` on its health port. */
export interface ComponentHealth {
  ready: boolean;
  /** What keeps it from being ready. */
  waiting?: string;
  checks: HealthCheck[];
}

export interface ObjectFact {
  kind: string;
  namespace: string;
  name: string;
  generation: number;
  ageMs: number;
  conditions: Condition[];
  /** Of an API: share of requests that was seen. */
  completeness?: number;
  envoys?: { programmed: number; total: number };
  /** Of an exemption: when it ends, Unix ms. */
  endsAt?: number;
}

export interface Facts {
  context: string;
  server: string;
  version: Read<string>;
  crds: Read<CrdFact[]>;
  rights: Read<RightFact[]>;
  workloads: Read<WorkloadFact[]>;
  objects: Read<ObjectFact[]>;
  now: number;
}
