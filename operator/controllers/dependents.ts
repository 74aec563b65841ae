/** What must be looked at again when an object changes: itself, and what was decided with its help. */
import type { BehaviorPolicy, ProtectedAPI } from '@picket/crds/gen/types.ts';
import type { ObjectKey } from '@picket/runtime/objects/object-store.ts';
import { type Claims, createClaims } from '../compile/claims.ts';
import { findUngranted } from '../compile/grants.ts';
import type { ObjectCache } from './object-cache.ts';
import { resolveHosts } from './protected-api/gather.ts';

export interface Dependents {
  claims: Claims;
  /** Keys to look at again; the cache knows the change already. */
  of(key: ObjectKey): ObjectKey[];
}

export function createDependents(objects: ObjectCache): Dependents {
  const claims = createClaims();
  for (const api of objects.list('ProtectedAPI')) claim(api);

  const inNamespace = (kind: 'BehaviorPolicy' | 'PolicyExemption' | 'ProtectedAPI', namespace: string): ObjectKey[] =>
    objects
      .list(kind)
      .filter(({ metadata }) => metadata.namespace === namespace)
      .map((object) => keyOf(kind, object));

  /** Claims count where they are granted: nobody keeps a host from others that is not its to have. Returns rivals. */
  function claim(api: ProtectedAPI): string[] {
    const { hosts } = resolveHosts(api, objects);
    const granted = findUngranted(api, hosts, objects.list('TrafficSensor')) === undefined;
    return claims.set(api, granted ? hosts : []);
  }

  /** The API claims what it claims now; those whose claims that touches are looked at, too. */
  function reclaim(api: ProtectedAPI): ObjectKey[] {
    return [keyOf('ProtectedAPI', api), ...claim(api).map(apiKey)];
  }

  function ofApi(key: ObjectKey): ObjectKey[] {
    const api = objects.get('ProtectedAPI', key.namespace, key.name);
    const rivals = api ? reclaim(api) : claims.remove(`${key.namespace}/${key.name}`).map(apiKey);
    return [
      ...rivals,
      ...inNamespace('BehaviorPolicy', key.namespace),
      ...inNamespace('PolicyExemption', key.namespace),
    ];
  }

  function ofConfigMap({ namespace, name }: ObjectKey): ObjectKey[] {
    const feeds = objects
      .list('ReputationFeed')
      .filter(({ metadata, spec }) => metadata.namespace === namespace && spec.source.configMapKeyRef?.name === name);
    const apis = objects
      .list('ProtectedAPI')
      .filter(
        ({ metadata, spec }) => metadata.namespace === namespace && spec.contract?.configMapKeyRef?.name === name,
      );
    return [...feeds.map((feed) => keyOf('ReputationFeed', feed)), ...apis.map((api) => keyOf('ProtectedAPI', api))];
  }

  function ofTarget({ kind, namespace, name }: ObjectKey): ObjectKey[] {
    return objects
      .list('ProtectedAPI')
      .filter(({ metadata, spec }) => {
        return (
          metadata.namespace === namespace && spec.targetRefs?.some((ref) => ref.kind === kind && ref.name === name)
        );
      })
      .flatMap(reclaim);
  }

  return {
    claims,
    of(key) {
      switch (key.kind) {
        case 'ProtectedAPI':
          return [key, ...ofApi(key)];
        case 'BehaviorPolicy':
          return [key, ...inNamespace('BehaviorPolicy', key.namespace), ...inNamespace('ProtectedAPI', key.namespace)];
        case 'TrafficSensor':
          // Who may claim what changes for all that it ever granted something.
          return [key, ...objects.list('ProtectedAPI').flatMap(reclaim)];
        case 'PolicyExemption':
          return [key, ...inNamespace('ProtectedAPI', key.namespace)];
        case 'ReputationFeed':
        case 'RiskVerdict':
          return [key];
        case 'ConfigMap':
          return ofConfigMap(key);
        default:
          return ofTarget(key);
      }
    },
  };
}

function keyOf(kind: string, { metadata }: Pick<ProtectedAPI | BehaviorPolicy, 'metadata'>): ObjectKey {
  return { kind, namespace: metadata.namespace, name: metadata.name };
}

function apiKey(qualified: string): ObjectKey {
  const [namespace = '', name = ''] = qualified.split('/');
  return { kind: 'ProtectedAPI', namespace, name };
}
