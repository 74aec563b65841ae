/** From facts to what is wrong and how to mend it. Pure. */
import type { Condition } from '@picket/crds/gen/types.ts';
import type { HealthCheck } from '@picket/runtime/health.ts';
import type { CrdFact, Facts, ObjectFact, PodFact, Read, RightFact, WorkloadFact } from './facts.ts';

export type Result = 'ok' | 'warning' | 'failure' | 'skipped';

export interface Check {
  area: string;
  result: Result;
  message: string;
  /** What to do about it. */
  fix?: string;
}

/** Kubernetes whose CEL the kinds need. */
const oldestMinor = 29;
/** An object this young may not have been looked at yet. */
const graceMs = 30_000;
const completenessGoal = 0.99;
const endsSoonMs = 14 * 86_400_000;

export function diagnose(facts: Facts): Check[] {
  return [
    ...area('Cluster', facts.version, (version) => clusterChecks(facts, version)),
    ...area('Kinds', facts.crds, crdChecks),
    ...area('Rights', facts.rights, rightChecks),
    ...area('Installation', facts.workloads, installationChecks),
    ...area('Objects', facts.objects, (objects) => objectChecks(objects, facts.now)),
  ];
}

function area<T>(name: string, read: Read<T>, check: (value: T) => Omit<Check, 'area'>[]): Check[] {
  if ('refused' in read) return [{ area: name, result: 'skipped', message: `could not be looked at: ${read.refused}` }];
  return check(read.value).map((found) => ({ area: name, ...found }));
}

type Found = Omit<Check, 'area'>;

function clusterChecks({ context, server }: Facts, version: string): Found[] {
  const minor = Number(/^v1\.(\d+)/.exec(version)?.[1]);
  if (minor < oldestMinor)
    return [
      {
        result: 'failure',
        message: `Kubernetes ${version} at ${server} is too old`,
        fix: `upgrade to 1.${oldestMinor} or newer: the rules of the kinds need its CEL`,
      },
    ];
  return [{ result: 'ok', message: `Kubernetes ${version} answers at ${server} (context ${context})` }];
}

function crdChecks(crds: CrdFact[]): Found[] {
  const install = 'helm upgrade --install picket-crds charts/picket-crds';
  const absent = crds.filter(({ present }) => !present);
  if (absent.length === crds.length)
    return [{ result: 'failure', message: 'the kinds of picket.dev are not installed', fix: install }];
  const found: Found[] = absent.map(({ name }) => ({ result: 'failure', message: `${name} is missing`, fix: install }));
  for (const { name, present, wanted } of crds) {
    if (!present) continue;
    if (!present.established)
      found.push({
        result: 'failure',
        message: `${name} is not served: ${present.why ?? 'the API server has not taken it yet'}`,
        fix: `kubectl describe crd ${name}`,
      });
    else if (present.digest !== wanted)
      found.push({
        result: 'warning',
        message: `${name} is of another version than this program`,
        fix: `${install}; or use the plugin of the installed version`,
      });
  }
  return found.length > 0 ? found : [{ result: 'ok', message: `${crds.length} kinds of picket.dev are served` }];
}

function rightChecks(rights: RightFact[]): Found[] {
  const denied = rights.filter(({ allowed }) => !allowed);
  if (denied.length === 0)
    return [{ result: 'ok', message: 'you may read risks, review verdicts and change policies' }];
  return denied.map(({ purpose, verb, resource }) => ({
    result: 'warning',
    message: `you may not ${purpose}`,
    fix: `ask for the verb ${verb} on ${resource}: the chart adds it to the roles view, edit and admin (rbac.aggregate)`,
  }));
}

function installationChecks(workloads: WorkloadFact[]): Found[] {
  if (workloads.length === 0)
    return [
      {
        result: 'failure',
        message: 'no operator and no analyzer are installed',
        fix: 'helm install picket charts/picket --namespace picket --create-namespace',
      },
    ];
  const found: Found[] = [];
  for (const component of ['operator', 'analyzer'])
    if (!workloads.some((w) => w.component === component))
      found.push({
        result: 'failure',
        message: `no ${component} is installed`,
        fix: 'helm upgrade the release of the chart picket: it makes both',
      });
  return [...found, ...workloads.flatMap(workloadChecks)];
}

function workloadChecks(workload: WorkloadFact): Found[] {
  const { component, namespace, name, wanted, ready, pods, health } = workload;
  const what = `${component} ${namespace}/${name}`;
  const found: Found[] = [];
  if (wanted === 0) found.push({ result: 'failure', message: `${what} is scaled to 0`, fix: 'scale it up again' });
  else if (ready >= wanted) found.push({ result: 'ok', message: `${what} is ready, ${ready} of ${wanted}` });
  else
    found.push({
      result: ready > 0 ? 'warning' : 'failure',
      message: `${what}: ${ready} of ${wanted} ready${troubleOf(pods)}`,
      fix: fixOf(workload),
    });
  for (const pod of pods.filter(({ ready: well, restarts }) => well && restarts >= 3))
    found.push({
      result: 'warning',
      message: `${component} pod ${namespace}/${pod.name} has restarted ${pod.restarts} times${troubleOf([pod])}`,
      fix: `kubectl logs -n ${namespace} ${pod.name} --previous`,
    });
  if (health && 'refused' in health && ready > 0)
    found.push({ result: 'skipped', message: `${component} could not be asked how it is: ${health.refused}` });
  if (health && 'value' in health) {
    const { waiting, checks } = health.value;
    if (waiting) found.push({ result: 'warning', message: `${component} is not ready: ${waiting}` });
    for (const check of checks)
      found.push({ result: check.result, message: `${component}, ${check.name}: ${check.message}`, ...fixFor(check) });
  }
  return found;
}

const checkFixes: Record<string, string> = {
  NATS: 'see that nats.url of the chart answers, has JetStream, and takes the user of nats.existingSecret',
  store: 'see that store.url of the chart answers and that its disk has room; what waits is kept up to 200,000 rows',
  'API server':
    'see that it answers, that the chart’s roles are bound (rbac.create) and picket-crds is of the same version',
  status:
    'see that the API server is well and that the chart’s roles are bound (rbac.create); what waits is written later',
  Envoys: 'docs/guides/attach-your-envoy.md: node.cluster is the fleet, and so is a name in the certificate',
  'access logs': 'docs/guides/attach-your-envoy.md: the access logger names the analyzer’s Service',
  completeness: 'every listener needs the access logger; /metrics says what was dropped and why',
};

function fixFor({ name, result }: HealthCheck): { fix?: string } {
  const fix = checkFixes[name];
  return result === 'ok' || fix === undefined ? {} : { fix };
}

function troubleOf(pods: readonly PodFact[]): string {
  const pod = pods.find(({ reason, message }) => reason ?? message);
  if (!pod) return '';
  return `: ${[pod.reason, pod.message?.trim().split('\n').at(-1)].filter(Boolean).join(': ')}`;
}

function fixOf({ namespace, name, component, pods }: WorkloadFact): string {
  const reason = pods.find((pod) => !pod.ready && pod.reason)?.reason ?? '';
  if (/^(ErrImage|ImagePull|InvalidImageName)/.test(reason))
    return `the image cannot be pulled: set ${component}.image and imagePullSecrets of the chart`;
  if (reason === 'CreateContainerConfigError')
    return 'a Secret or ConfigMap that the pod names is missing: see tls, nats and store of the chart';
  if (reason === 'OOMKilled') return `raise ${component}.resources.limits.memory of the chart`;
  if (reason === 'Unschedulable') return `no node takes it: see ${component}.resources and the nodes`;
  const pod = pods.find(({ ready }) => !ready);
  if (!pod)
    return `kubectl describe -n ${namespace} ${component === 'operator' ? 'deployment' : 'statefulset'} ${name}`;
  return `kubectl logs -n ${namespace} ${pod.name}${pod.restarts > 0 ? ' --previous' : ''}`;
}

/** Conditions that should hold, and how bad it is when they do not. */
const wantedConditions: Record<string, Record<string, 'failure' | 'warning'>> = {
  ProtectedAPI: { Accepted: 'failure', ResolvedRefs: 'warning', Programmed: 'failure', Observing: 'warning' },
  BehaviorPolicy: { Accepted: 'failure', Attached: 'warning', Programmed: 'failure', WithinSafety: 'warning' },
  PolicyExemption: { Accepted: 'failure' },
  ReputationFeed: { Accepted: 'failure', Loaded: 'failure' },
  TrafficSensor: { Accepted: 'failure', Programmed: 'failure', Observing: 'warning' },
};

const conditionFixes: Record<string, string> = {
  Programmed: 'see that the Envoys of the fleet connect to the operator and that their certificates name the fleet',
  Observing: 'see that an access logger of the Envoys names the analyzer’s Service, and that traffic flows',
};

function objectChecks(objects: ObjectFact[], now: number): Found[] {
  if (!objects.some(({ kind }) => kind === 'ProtectedAPI'))
    return [
      {
        result: 'warning',
        message: 'no ProtectedAPI: nothing is watched',
        fix: 'apply one: docs/guides/kubernetes.md shows the smallest',
      },
    ];
  const silent = objects.filter(({ kind, conditions }) => wantedConditions[kind] && conditions.length === 0);
  const found = [...silenceChecks(silent), ...objects.flatMap(conditionChecks)];
  for (const api of objects.filter(({ kind }) => kind === 'ProtectedAPI')) found.push(...apiChecks(api));
  if (!objects.some(({ kind }) => kind === 'BehaviorPolicy'))
    found.push({
      result: 'warning',
      message: 'no BehaviorPolicy: nothing would ever be done',
      fix: 'apply one in mode DryRun',
    });
  for (const exemption of objects.filter(({ endsAt }) => endsAt !== undefined))
    found.push(...exemptionChecks(exemption, now));
  if (found.some(({ result }) => result !== 'ok')) return found;
  return [{ result: 'ok', message: `${objects.length} objects are accepted and in force` }, ...found];
}

function nameText({ kind, namespace, name }: ObjectFact): string {
  return `${kind} ${namespace}/${name}`;
}

/** An operator that is away leaves every object alike: said once. */
function silenceChecks(silent: readonly ObjectFact[]): Found[] {
  if (silent.length === 0) return [];
  const names = silent.slice(0, 3).map(nameText).join(', ');
  const more = silent.length > 3 ? ` and ${silent.length - 3} more` : '';
  const young = silent.every(({ ageMs }) => ageMs < graceMs);
  return [
    {
      result: young ? 'warning' : 'failure',
      message: `no operator has looked at ${names}${more}${young ? ' yet' : ''}`,
      ...(young ? {} : { fix: 'see Installation above; then kubectl logs of the operator' }),
    },
  ];
}

function conditionChecks(object: ObjectFact): Found[] {
  const wanted = wantedConditions[object.kind];
  if (!wanted || object.conditions.length === 0) return [];
  const accepted = object.conditions.find(({ type }) => type === 'Accepted');
  // What conditions say of an older spec would mislead.
  if (accepted && accepted.observedGeneration < object.generation)
    return [
      {
        result: 'warning',
        message: `${nameText(object)}: the operator has not looked at the last change yet`,
        fix: 'if this stays, kubectl logs of the operator',
      },
    ];
  return Object.entries(wanted).flatMap(([type, severity]) =>
    conditionFound(
      object,
      type,
      severity,
      object.conditions.find((condition) => condition.type === type),
    ),
  );
}

function conditionFound(
  object: ObjectFact,
  type: string,
  severity: 'failure' | 'warning',
  condition: Condition | undefined,
): Found[] {
  if (!condition || condition.status === 'True') return [];
  const fix = conditionFixes[type];
  return [
    {
      result: condition.status === 'Unknown' ? 'warning' : severity,
      message: `${nameText(object)}: ${type} is ${condition.status} (${condition.reason}): ${condition.message}`,
      ...(fix ? { fix } : {}),
    },
  ];
}

function apiChecks(api: ObjectFact): Found[] {
  const found: Found[] = [];
  if (api.completeness !== undefined && api.completeness < completenessGoal)
    found.push({
      result: 'warning',
      message: `${nameText(api)}: ${(api.completeness * 100).toFixed(1)} % of requests were seen`,
      fix: 'every listener needs the access logger; see picket_ingest_dropped_total for what was dropped and why',
    });
  if (api.envoys && api.envoys.programmed < api.envoys.total)
    found.push({
      result: 'warning',
      message: `${nameText(api)}: ${api.envoys.programmed} of ${api.envoys.total} Envoys have acknowledged the filters`,
      fix: 'the log of the operator says what an Envoy refused, and which ones are not connected',
    });
  return found;
}

function exemptionChecks(exemption: ObjectFact, now: number): Found[] {
  const left = (exemption.endsAt ?? 0) - now;
  if (left <= 0)
    return [{ result: 'warning', message: `${nameText(exemption)} has ended`, fix: 'delete it, or renew it' }];
  if (left > endsSoonMs) return [];
  const days = Math.ceil(left / 86_400_000);
  return [
    {
      result: 'warning',
      message: `${nameText(exemption)} ends in ${days} days`,
      fix: 'renew it if it is still needed',
    },
  ];
}
