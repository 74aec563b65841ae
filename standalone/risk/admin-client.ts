/** The admin API of a running Picket, as the source of risk commands. */
import type { KindName, ObjectByKind, RiskVerdict } from '@picket/crds/gen/types.ts';
import type { RiskSource } from '@picket/kubectl-risk/source.ts';
import { PicketError } from '@picket/runtime/errors.ts';

/** @param namespace only objects of this one; left out, of all */
export function adminSource(url: string, namespace: string | undefined): RiskSource {
  const ask = async (path: string, init?: RequestInit): Promise<unknown> => {
    let response: Response;
    try {
      response = await fetch(new URL(path, url), { ...init, signal: AbortSignal.timeout(10_000) });
    } catch (error) {
      throw new PicketError(
        'Unavailable',
        `no Picket answers at ${url}; is "picket up" running? Name another with --admin`,
        { cause: error },
      );
    }
    const body = (await response.json().catch(() => undefined)) as { error?: string; reason?: string } | undefined;
    if (response.ok && body !== undefined) return body;
    // Every failure of ours says its reason.
    if (body?.reason === undefined)
      throw new PicketError(
        'Unavailable',
        `what answers at ${url} is no Picket (status ${response.status}); see --admin`,
      );
    throw new PicketError(response.status === 404 ? 'NotFound' : 'InvalidObject', body.error ?? body.reason);
  };
  return {
    // Names are shown with their namespace as soon as there are two.
    allNamespaces: false,
    list: async <K extends KindName>(kind: K) => {
      const { items } = (await ask(`/api/v1/objects/${kind}`)) as { items: ObjectByKind[K][] };
      return items.filter((o) => namespace === undefined || o.metadata.namespace === namespace);
    },
    review: async ({ metadata }, review) =>
      (await ask(`/api/v1/objects/RiskVerdict/${metadata.namespace}/${metadata.name}/review`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(review),
      })) as RiskVerdict,
  };
}
