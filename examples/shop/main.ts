/**
 * The sample shop: `node examples/shop/main.ts [--host ADDRESS] [--port N] [--seed N] [--signing-key FILE] [--jwks FILE]
 * [--order-access anyone|owner]`.
 * Prints `shop listening on http://ADDRESS:PORT` when it is ready, and stops on SIGTERM or SIGINT.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { seedShop } from './seed-data.ts';
import { serveShop } from './server.ts';
import { createShop } from './shop.ts';
import { createTokenSigner } from './tokens.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    'signing-key': { type: 'string' },
    jwks: { type: 'string' },
    'order-access': { type: 'string', default: 'anyone' },
  },
});
const orderAccess = values['order-access'];
if (orderAccess !== 'anyone' && orderAccess !== 'owner') {
  process.stderr.write(`--order-access is anyone or owner, not ${orderAccess}\n`);
  process.exit(2);
}

const key = values['signing-key'];
const tokens = createTokenSigner(key === undefined ? undefined : readFileSync(key, 'utf8'));
if (values.jwks !== undefined) writeFileSync(values.jwks, tokens.jwks());
const shop = createShop({
  data: seedShop(Number(values.seed)),
  tokens,
  now: () => Date.now(),
  newId: () => randomUUID(),
  orderAccess,
});
const server = await serveShop(shop, Number(values.port), values.host);
process.stdout.write(`shop listening on http://${values.host}:${server.port}\n`);

const stop = () => void server.close().then(() => process.exit(0));
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
