import type { Condition, KindName, ObjectByKind } from '@picket/crds/gen/types.ts';
import type { ObjectKey, ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';

/** Objects that the operator reads besides its own kinds, and where the API server serves them. */
export const referencedResources = {
  ConfigMap: { apiVersion: 'v1', plural: 'configmaps' },
  HTTPRoute: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'httproutes' },
  GRPCRoute: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'grpcroutes' },
  Gateway: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'gateways' },
  Service: { apiVersion: 'v1', plural: 'services' },
} as const;

/** Listed when asked, never watched. */
export const listedResources = { Pod: { apiVersion: 'v1', plural: 'pods' } } as const;

/** Objects of the control planes that configure Envoys; each is written only where its provider is switched on. */
export const providerResources = {
  Istio: { EnvoyFilter: { apiVersion: 'networking.istio.io/v1alpha3', plural: 'envoyfilters' } },
  EnvoyGateway: {
    EnvoyProxy: { apiVersion: 'gateway.envoyproxy.io/v1alpha1', plural: 'envoyproxies' },
    EnvoyPatchPolicy: { apiVersion: 'gateway.envoyproxy.io/v1alpha1', plural: 'envoypatchpolicies' },
    EnvoyExtensionPolicy: { apiVersion: 'gateway.envoyproxy.io/v1alpha1', plural: 'envoyextensionpolicies' },
  },
} as const;
export type ProviderKey = keyof typeof providerResources;

export const ownKinds = [
  'ProtectedAPI',
  'BehaviorPolicy',
  'RiskVerdict',
  'PolicyExemption',
  'ReputationFeed',
  'TrafficSensor',
] as const satisfies readonly KindName[];

/** An object that this version does not understand, and why. */
export interface Strange {
  object: StoredObject<unknown, { conditions?: Condition[] }>;
  message: string;
}

/** Present objects of the watched kinds, by kind. */
export interface ObjectCache {
  list<K extends (typeof ownKinds)[number]>(kind: K): ObjectByKind[K][];
  get<K extends (typeof ownKinds)[number]>(kind: K, namespace: string, name: string): ObjectByKind[K] | undefined;
  /** The newest state of an object that this version does not understand: what it was before stays what others see. */
  notUnderstood(key: ObjectKey): Strange | undefined;
  /** An object of a referenced kind. */
  referenced(key: ObjectKey): StoredObject | undefined;
}

/**
 * Starts watching; resolves when everything present was read. `onChange` follows each later change too.
 *
 * @param invalidity why an object of an own kind is not one that this version understands
 */
export async function watchObjects(
  store: ObjectStore,
  signal: AbortSignal,
  onChange: (key: ObjectKey, deleted: boolean) => void,
  invalidity: (object: StoredObject) => string | undefined = () => undefined,
): Promise<ObjectCache> {
  const objects = new Map<string, Map<string, StoredObject>>();
  const strange = new Map<string, Strange>();
  await Promise.all(
    [...ownKinds, ...Object.keys(referencedResources)].map(async (kind) => {
      const present = new Map<string, StoredObject>();
      objects.set(kind, present);
      await new Promise<void>((resolve, reject) => {
        const keyOf = ({ metadata }: StoredObject): ObjectKey => ({
          kind,
          namespace: metadata.namespace,
          name: metadata.name,
        });
        store
          .watch(
            kind,
            {
              onApplied(object) {
                const message = isOwn(kind) ? invalidity(object) : undefined;
                if (message === undefined) {
                  strange.delete(keyText(keyOf(object)));
                  present.set(textOf(object.metadata.namespace, object.metadata.name), object);
                } else strange.set(keyText(keyOf(object)), { object: object as Strange['object'], message });
                onChange(keyOf(object), false);
              },
              onDeleted(object) {
                strange.delete(keyText(keyOf(object)));
                present.delete(textOf(object.metadata.namespace, object.metadata.name));
                onChange(keyOf(object), true);
              },
              onSynced: resolve,
            },
            signal,
          )
          .catch(reject);
      });
    }),
  );
  return {
    list: <K extends (typeof ownKinds)[number]>(kind: K) =>
      [...(objects.get(kind)?.values() ?? [])] as unknown as ObjectByKind[K][],
    get: <K extends (typeof ownKinds)[number]>(kind: K, namespace: string, name: string) =>
      objects.get(kind)?.get(textOf(namespace, name)) as unknown as ObjectByKind[K] | undefined,
    notUnderstood: (key) => strange.get(keyText(key)),
    referenced: ({ kind, namespace, name }) => objects.get(kind)?.get(textOf(namespace, name)),
  };
}

function isOwn(kind: string): boolean {
  return ownKinds.some((own) => own === kind);
}

function keyText({ kind, namespace, name }: ObjectKey): string {
  return `${kind}/${namespace}/${name}`;
}

function textOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
