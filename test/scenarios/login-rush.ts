/** Many people who come by once: a busy shop's logins without the rest of their day. */
import type { World } from './day.ts';
import type { RequestEvent, Window } from './request-event.ts';

/** A login, now and then mistyped first, and a look at one's account. */
export function* loginRush(world: World, window: Window, perSecond: number): Generator<RequestEvent, undefined> {
  const random = world.random.fork(`rush/${window.from}`);
  const later: RequestEvent[] = [];
  for (let at = window.from; at < window.until; at += random.exponential(1000 / perSecond)) {
    while (later[0] && later[0].at <= at) yield later.shift() as RequestEvent;
    const person = random.pick(world.people);
    const { username, password } = person.user;
    const base = { actor: person.actor, client: person.clientAt(at) };
    const login = { ...base, method: 'POST' as const, path: '/v1/login', authorized: false };
    const wrong = random.chance(person.typoRate) ? random.whole(1, 2) : 0;
    for (let i = 0; i < wrong; i++)
      later.push({ ...login, at: at + i * 4000, body: { username, password: `${password}${random.hex(1)}` } });
    later.push({ ...login, at: at + wrong * 4000, body: { username, password } });
    later.push({ ...base, at: at + wrong * 4000 + 1200, method: 'GET', path: '/v1/account', authorized: true });
    later.sort((a, b) => a.at - b.at);
  }
}
