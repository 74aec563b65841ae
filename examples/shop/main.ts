/**
 * The sample shop: `node examples/shop/main.ts [--port N] [--seed N] [--jwks FILE] [--order-access anyone|owner]`.
 * Prints `shop listening on http://127.0.0.1:PORT` when it is ready, and stops on SIGTERM or SIGINT.
 */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { seedShop } from './seed-data.ts';
import { serveShop } from './server.ts';
import { createShop } from './shop.ts';
import { createTokenSigner } from './tokens.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    jwks: { type: 'string' },
    'order-access': { type: 'string', default: 'anyone' },
  },
});
const orderAccess = values['order-access'];
if (orderAccess !== 'anyone' && orderAccess !== 'owner') {
  process.stderr.write(`--order-access is anyone or owner, not ${orderAccess}\n`);
  process.exit(2);
}

const tokens = createTokenSigner();
if (values.jwks !== undefined) writeFileSync(values.jwks, tokens.jwks());
const shop = createShop({
  data: seedShop(Number(values.seed)),
  tokens,
  now: () => Date.now(),
  newId: () => randomUUID(),
  orderAccess,
});
const server = await serveShop(shop, Number(values.port));
process.stdout.write(`shop listening on http://127.0.0.1:${server.port}\n`);

const stop = () => void server.close().then(() => process.exit(0));
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
