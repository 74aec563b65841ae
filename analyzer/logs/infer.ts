/** What `picket analyze` needs to know and a log does not say: one `CompiledPolicy` per host, inferred from a sample. */
import { createHash } from 'node:crypto';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  Action,
  type Behavior,
  BehaviorSchema,
  type CompiledPolicy,
  CompiledPolicySchema,
  Criticality,
  Level,
  Mode,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { AccessRecord } from '../ingest/access-record.ts';
import { type ApiSample, createApiSample } from './infer-api.ts';
import { type Crowds, createCrowdSample } from './infer-crowds.ts';
import type { LogSet } from './open.ts';

export interface InferredApi {
  policy: CompiledPolicy;
  /** Requests in the sample. */
  requests: number;
  /** What was concluded and why, sentences for the report. */
  notes: string[];
  sample: ApiSample;
}

export interface LogInference {
  /** Most requests first; the API of all other hosts last. */
  apis: InferredApi[];
  notes: string[];
  /** Records looked at. */
  sampled: number;
  crowds: Crowds;
  /** Looks at a record after the sample; the API whose policy gained flows by it, which its `policy` then holds. */
  follow(record: AccessRecord): InferredApi | undefined;
}

export interface LogInferrer {
  observe(record: AccessRecord): void;
  conclude(): LogInference;
}

/** Records that the inference looks at by default. */
const sampleSize = 50_000;
const maxHosts = 256;
const maxApis = 64;
const namespace = 'default';

/** Infers from the first `limit` records of a log. */
export async function inferFromLogs(logs: LogSet, limit = sampleSize): Promise<LogInference> {
  const inferrer = createLogInferrer();
  await logs.sample(limit, (entry) => inferrer.observe(entry.record));
  return inferrer.conclude();
}

export function createLogInferrer(): LogInferrer {
  const hosts = new Map<string, ApiSample>();
  /** Sites that were also asked for with `www.` in front. */
  const withWww = new Set<string>();
  const rest = createApiSample();
  const crowds = createCrowdSample();
  let sampled = 0;
  let unnamed = 0;

  return {
    observe(r) {
      sampled++;
      crowds.observe(r);
      const host = siteOf(r.authority);
      if (host === '') {
        unnamed++;
        rest.observe(r);
        return;
      }
      let sample = hosts.get(host);
      if (!sample) {
        if (hosts.size >= maxHosts) return rest.observe(r);
        sample = createApiSample();
        hosts.set(host, sample);
      }
      if (/^www\./i.test(r.authority)) withWww.add(host);
      sample.observe(r);
    },
    conclude() {
      const notes: string[] = [];
      // Scanners ask for hosts that are not there: a host is an API when the site answers for it and people ask for it.
      const least = Math.max(1, Math.min(100, sampled / 100));
      const chosen = [...hosts]
        .filter(([, sample]) => sample.requests >= least && (sample.served > 0 || sampled < 200))
        .sort((a, b) => b[1].requests - a[1].requests || (a[0] < b[0] ? -1 : 1))
        .slice(0, maxApis);
      const names = new Set<string>();
      const apis = chosen.map(([host, sample]) =>
        apiOf(withWww.has(host) ? [host, `www.${host}`] : [host], sample, names),
      );
      if (apis.length === 0) {
        notes.push(
          sampled === unnamed
            ? 'the log names no host: everything is one API'
            : 'no host stands out: everything is one API',
        );
      } else {
        notes.push(`${apis.length} ${apis.length === 1 ? 'host is an API of its own' : 'hosts are APIs of their own'}`);
        if (hosts.size > apis.length)
          notes.push(`${hosts.size - apis.length} rare or unanswered hosts are one API together`);
      }
      const others = apiOf(['*'], rest, names);
      apis.push(others);
      const behind = crowds.conclude(sampled);
      notes.push(...behind.notes);
      let lastAuthority = '';
      let last = others;
      const byHost = new Map(chosen.map(([host], i) => [host, apis[i] as InferredApi]));
      return {
        apis,
        notes,
        sampled,
        crowds: behind,
        follow(r) {
          if (r.authority !== lastAuthority) {
            lastAuthority = r.authority;
            last = byHost.get(siteOf(lastAuthority)) ?? others;
          }
          const api = last;
          api.requests++;
          api.sample.observe(r);
          const more = api.sample.later();
          if (!more) return undefined;
          api.policy = revised({ ...api.policy, flows: [...api.policy.flows, ...more.flows] });
          api.notes.push(...more.notes);
          return api;
        },
      };
    },
  };
}

/** Lower case, without port and leading `www.`; "" for nothing usable. */
function siteOf(authority: string): string {
  const host = authority
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
  if (!/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,10}[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(host)) return '';
  return host.startsWith('www.') && host.length > 4 ? host.slice(4) : host;
}

function apiOf(hosts: string[], sample: ApiSample, names: Set<string>): InferredApi {
  const [host = '*'] = hosts;
  const parts = sample.conclude();
  const name = uniqueName(host === '*' ? (names.size === 0 ? 'site' : 'other-hosts') : labelOf(host), names);
  const api = `${namespace}/${name}`;
  const policy = revised({
    api,
    apiUid: uidOf(api),
    fleet: 'logs',
    hosts,
    criticality: Criticality.NORMAL,
    principals: parts.principals,
    flows: parts.flows,
    objects: parts.objects,
    behavior: observeDefaults(),
  });
  return { policy, requests: sample.requests, notes: parts.notes, sample };
}

function revised(policy: MessageInitShape<typeof CompiledPolicySchema>): CompiledPolicy {
  const made = create(CompiledPolicySchema, { ...policy, revision: '' });
  made.revision = createHash('sha256').update(toBinary(CompiledPolicySchema, made)).digest('hex').slice(0, 16);
  return made;
}

function labelOf(host: string): string {
  const label = host
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-+|-+$/g, '');
  return label === '' ? 'host' : label;
}

function uniqueName(name: string, names: Set<string>): string {
  let candidate = name;
  for (let i = 2; names.has(candidate); i++) candidate = `${name}-${i}`;
  names.add(candidate);
  return candidate;
}

function uidOf(api: string): string {
  const hex = createHash('sha256').update(api).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** The defaults of a BehaviorPolicy, in Observe: see its reference. */
function observeDefaults(): Behavior {
  return create(BehaviorSchema, {
    mode: Mode.OBSERVE,
    falseAlertsPerDay: 2,
    responses: [
      { level: Level.ELEVATED, action: Action.TAG, forMs: minutes(30) },
      { level: Level.HIGH, action: Action.THROTTLE, forMs: minutes(10), throttleRequestsPerMinute: 30 },
      { level: Level.CRITICAL, action: Action.DENY, forMs: minutes(15), maxForMs: minutes(720) },
    ],
    actOn: [PrincipalKind.USER, PrincipalKind.APP, PrincipalKind.ADDRESS, PrincipalKind.CAMPAIGN],
    safety: {
      maxShareOfPrincipals: 0.01,
      maxShareOfRequests: 0.02,
      minBaselineMs: minutes(1440),
      maxPrincipalsPerAddress: 5,
    },
  });
}

function minutes(n: number): bigint {
  return BigInt(n) * 60_000n;
}
