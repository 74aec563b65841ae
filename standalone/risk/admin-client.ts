/** The admin API of a running Picket, for commands. */
import { PicketError } from '@picket/runtime/errors.ts';

export interface AdminClient {
  list<T>(kind: string): Promise<T[]>;
  status(): Promise<Record<string, unknown>>;
  review(namespace: string, name: string, review: Record<string, string>): Promise<unknown>;
}

export function adminClient(url: string): AdminClient {
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
    const body: unknown = await response.json();
    if (!response.ok) {
      const message = (body as { error?: string }).error ?? `status ${response.status}`;
      throw new PicketError(response.status === 404 ? 'NotFound' : 'InvalidObject', message);
    }
    return body;
  };
  return {
    list: async <T>(kind: string) => ((await ask(`/api/v1/objects/${kind}`)) as { items: T[] }).items,
    status: async () => (await ask('/api/v1/status')) as Record<string, unknown>,
    review: (namespace, name, review) =>
      ask(`/api/v1/objects/RiskVerdict/${namespace}/${name}/review`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(review),
      }),
  };
}
