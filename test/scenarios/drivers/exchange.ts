/** What both drivers do alike: turn an event into a request, and keep what the reply gave to the client. */
import type { RequestEvent } from '../request-event.ts';

/** Headers as the client sends them, lower case; cookies and token come from the client's jar. */
export function requestHeaders(event: RequestEvent): Record<string, string> {
  const { headers, jar } = event.client;
  const sent: Record<string, string> = { ...headers };
  if (event.authorized && jar.token !== '') sent.authorization = `Bearer ${jar.token}`;
  if (jar.cookies.size > 0) sent.cookie = [...jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  if (event.body !== undefined) sent['content-type'] ??= 'application/json';
  return sent;
}

/** Remembers cookies and the token of a successful login. `setCookie` holds values of `set-cookie` headers. */
export function keepReply(event: RequestEvent, body: unknown, setCookie: readonly string[]): void {
  const { jar } = event.client;
  for (const line of setCookie) {
    const [pair = ''] = line.split(';', 1);
    const split = pair.indexOf('=');
    const value = pair.slice(split + 1);
    if (value === '') jar.cookies.delete(pair.slice(0, split));
    else jar.cookies.set(pair.slice(0, split), value);
  }
  if (event.path === '/v1/logout') jar.token = '';
  if (typeof body === 'object' && body !== null && 'token' in body && typeof body.token === 'string') {
    jar.token = body.token;
  }
}
