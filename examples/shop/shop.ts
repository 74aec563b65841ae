/** The shop without its socket: a request in, a reply out. */
import type { Order, Product, ShopData, ShopUser } from './seed-data.ts';
import { issuer, type TokenSigner } from './tokens.ts';

export interface ShopRequest {
  method: string;
  /** With query. */
  path: string;
  authorization: string;
  cookie: string;
  /** Parsed JSON body, undefined when there is none. */
  body: unknown;
}

export interface ShopReply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

export interface ShopOptions {
  data: ShopData;
  tokens: TokenSigner;
  /** Unix milliseconds. */
  now: () => number;
  /** Ids of sessions and tokens: hard to guess in a real shop, seeded in a reproducible one. */
  newId: () => string;
  /**
   * `anyone` is the hole this sample has on purpose (broken object level authorization): whoever is logged in reads
   * every order. `owner` closes it.
   */
  orderAccess: 'anyone' | 'owner';
}

export interface Shop {
  handle(request: ShopRequest): ShopReply;
}

interface Call extends ShopRequest {
  query: URLSearchParams;
  /** Path variables by position. */
  segments: string[];
  user: ShopUser | undefined;
}

const pageSize = 24;
const tokenSeconds = 12 * 3600;

const notFound: ShopReply = { status: 404, body: { error: 'not found' } };
const unauthorized: ShopReply = { status: 401, body: { error: 'log in first' } };
const forbidden: ShopReply = { status: 403, body: { error: 'not yours' } };

export function createShop({ data, tokens, now, newId, orderAccess }: ShopOptions): Shop {
  const byName = new Map(data.users.map((u) => [u.username, u]));
  const byId = new Map(data.users.map((u) => [u.id, u]));
  const products = new Map(data.products.map((p) => [p.id, p]));
  const carts = new Map<string, { product: number; quantity: number }[]>();
  let lastOrder = Math.max(0, ...data.orders.keys());

  const routes: Record<string, (call: Call) => ShopReply> = {
    'GET /healthz': () => ({ status: 200, body: { ok: true } }),
    'GET /v1/products': ({ query }) => {
      const page = Math.max(0, Number(query.get('page') ?? 0) || 0);
      const items = data.products.slice(page * pageSize, (page + 1) * pageSize).map(summary);
      return { status: 200, body: { page, items } };
    },
    'GET /v1/products/{}': ({ segments }) => {
      const product = products.get(Number(segments[0]));
      return product === undefined ? notFound : { status: 200, body: product };
    },
    'GET /v1/search': ({ query }) => {
      const wanted = (query.get('q') ?? '').toLowerCase();
      const items = data.products.filter((p) => p.name.includes(wanted)).slice(0, pageSize);
      return { status: 200, body: { items: items.map(summary) } };
    },
    'POST /v1/login': ({ body }) => {
      const user = byName.get(textField(body, 'username'));
      // As many a real shop does, and why a status code is not an outcome: a failure answers 200.
      if (user === undefined || user.password !== textField(body, 'password'))
        return { status: 200, body: { ok: false } };
      const iat = Math.floor(now() / 1000);
      const claims = { iss: issuer, sub: user.id, jti: newId(), role: user.role, iat, exp: iat + tokenSeconds };
      const cookie = `sid=${newId()}; Path=/; HttpOnly; SameSite=Lax`;
      return { status: 200, body: { ok: true, token: tokens.issue(claims) }, headers: { 'set-cookie': cookie } };
    },
    'POST /v1/logout': () => ({ status: 204, body: undefined, headers: { 'set-cookie': 'sid=; Max-Age=0; Path=/' } }),
    'GET /v1/account': needUser((user) => {
      const { id, username, name, balanceCents } = user;
      return { status: 200, body: { id, username, name, balanceCents } };
    }),
    'GET /v1/account/orders': needUser((user) => ({ status: 200, body: { orders: user.orders } })),
    'GET /v1/orders/{}': needUser((user, { segments }) => {
      const order = data.orders.get(Number(segments[0]));
      if (order === undefined) return notFound;
      return orderAccess === 'owner' && order.owner !== user.id ? forbidden : { status: 200, body: order };
    }),
    'GET /v1/cart': needUser((user) => ({ status: 200, body: { items: carts.get(user.id) ?? [] } })),
    'POST /v1/cart/items': needUser((user, { body }) => {
      const product = products.get(Number(field(body, 'product')));
      if (product === undefined) return notFound;
      const items = carts.get(user.id) ?? [];
      if (items.length < 100) items.push({ product: product.id, quantity: Number(field(body, 'quantity')) || 1 });
      carts.set(user.id, items);
      return { status: 201, body: { items } };
    }),
    'POST /v1/checkout': needUser((user) => {
      const items = carts.get(user.id) ?? [];
      if (items.length === 0) return { status: 409, body: { error: 'the cart is empty' } };
      const totalCents = items.reduce((sum, i) => sum + i.quantity * (products.get(i.product)?.priceCents ?? 0), 0);
      lastOrder += 1;
      const order: Order = { id: lastOrder, owner: user.id, totalCents, items };
      data.orders.set(order.id, order);
      user.orders.push(order.id);
      carts.delete(user.id);
      return { status: 201, body: { order: order.id, totalCents } };
    }),
    'POST /v1/transfers': needUser((user, { body }) => {
      const amountCents = Number(field(body, 'amountCents'));
      if (!byId.has(textField(body, 'to'))) return notFound;
      const fits = amountCents > 0 && amountCents <= user.balanceCents;
      return fits ? { status: 201, body: { ok: true, amountCents } } : { status: 402, body: { ok: false } };
    }),
    'GET /v1/customers/{}': needUser((user, { segments }) => {
      if (user.role !== 'staff') return forbidden;
      const customer = byId.get(segments[0] ?? '');
      if (customer === undefined) return notFound;
      return { status: 200, body: { id: customer.id, name: customer.name, orders: customer.orders } };
    }),
  };

  return {
    handle(request) {
      // Split by hand: a scanner's path need not be a valid URL.
      const [pathname = '/', query = ''] = request.path.split('?', 2);
      const { key, segments } = routeKey(request.method, pathname);
      const route = routes[key];
      if (route === undefined) return notFound;
      const token = /^Bearer (\S+)$/.exec(request.authorization)?.[1];
      const user = token === undefined ? undefined : byId.get(tokens.read(token, now())?.sub ?? '');
      return route({ ...request, query: new URLSearchParams(query), segments, user });
    },
  };
}

/** "GET /v1/orders/400123" is the route "GET /v1/orders/{}": ids are the segments with a digit after the version. */
function routeKey(method: string, pathname: string): { key: string; segments: string[] } {
  const segments: string[] = [];
  const parts = pathname.split('/').map((part, i) => {
    if (i < 2 || !/\d/.test(part)) return part;
    segments.push(part);
    return '{}';
  });
  return { key: `${method} ${parts.join('/')}`, segments };
}

function needUser(answer: (user: ShopUser, call: Call) => ShopReply): (call: Call) => ShopReply {
  return (call) => (call.user === undefined ? unauthorized : answer(call.user, call));
}

function summary({ id, name, priceCents }: Product): { id: number; name: string; priceCents: number } {
  return { id, name, priceCents };
}

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
}

function textField(body: unknown, name: string): string {
  const value = field(body, name);
  return typeof value === 'string' ? value : '';
}
