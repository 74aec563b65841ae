import type { StoreAccess } from '@picket/analyzer/service/open-store.ts';
import type { Host } from '@picket/runtime/host.ts';

/** The store of `--store-url`, with its password from the environment. */
export function storeAccess({ storeUrl }: { storeUrl?: string }, { env }: Pick<Host, 'env'>): StoreAccess {
  return {
    url: storeUrl,
    user: env['PICKET_STORE_USER'] ?? 'default',
    password: env['PICKET_STORE_PASSWORD'] ?? '',
  };
}
