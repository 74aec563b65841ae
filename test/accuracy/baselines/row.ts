/** What the reference rules see of a request: more than most of them get in their own products. */
import type { ShopReply } from '../../../examples/shop/shop.ts';
import type { RequestEvent } from '../../scenarios/request-event.ts';

export interface Row {
  at: number;
  attack: boolean;
  address: string;
  /** User of the token sent, "" without one. */
  user: string;
  /** Session cookie, "" without one. */
  session: string;
  userAgent: string;
  path: string;
  /** Path with ids and query values taken out. */
  operation: string;
  /** The id or query value that was taken out. */
  parameter: string;
  status: number;
  bytes: number;
  /** Account named in a login, "" for anything else. */
  account: string;
  failedLogin: boolean;
}

export function rowOf(event: RequestEvent, reply: ShopReply): Row {
  const login = event.path === '/v1/login';
  const body = reply.body as { ok?: boolean } | undefined;
  const parameter = /(\d+|=[^&]*)$/.exec(event.path)?.[0] ?? '';
  return {
    at: event.at,
    attack: event.actor.label !== 'benign',
    address: event.client.address,
    user: event.authorized && event.client.jar.token !== '' ? (event.actor.user?.id ?? '') : '',
    session: event.client.jar.cookies.get('sid') ?? '',
    userAgent: event.client.headers['user-agent'] ?? '',
    path: event.path,
    operation: event.path.slice(0, event.path.length - parameter.length),
    parameter,
    status: reply.status,
    bytes: reply.body === undefined ? 0 : JSON.stringify(reply.body).length,
    account: login && typeof event.body?.username === 'string' ? event.body.username : '',
    failedLogin: login && body?.ok === false,
  };
}
