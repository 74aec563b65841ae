/** Traffic for a Picket without an Envoy: people, a source that tries leaked passwords, and one that scans. */
import { entry, type EntryInit } from '../support/als-client.ts';

/** @param churn people who come and do not come again; otherwise the same 500 */
export function trafficBatch(next: () => number, at: number, count: number, churn = false): EntryInit[] {
  return Array.from({ length: count }, (_, i) => {
    const kind = next() % 40;
    if (kind === 0)
      return entry({ at, address: '192.0.2.9', path: '', login: { account: `leaked-${next() % 5000}`, ok: false } });
    if (kind === 1) return entry({ at, address: '192.0.2.10', path: `/v1/.git/${next() % 900}`, status: 404 });
    const person = churn ? next() % 0xffffff : next() % 500;
    const address = `10.${(person >> 16) & 255}.${(person >> 8) & 255}.${person & 255}`;
    const path = kind < 4 ? `/v1/orders/${person}` : `/v1/products/${next() % 300}`;
    return entry({ at: at + i / 100, address, path, userAgent: `Mozilla/5.0 (person ${person % 97})` });
  });
}
