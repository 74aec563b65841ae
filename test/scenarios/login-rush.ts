/** Many people who come by once: a busy shop's logins without the rest of their day. */
import type { Person } from './population.ts';
import type { Random } from './random.ts';
import type { Client, RequestEvent, Window } from './request-event.ts';

/** A login, now and then mistyped first, and a look at one's account. */
export function* loginRush(
  random: Random,
  people: readonly Person[],
  window: Window,
  perSecond: number,
): Generator<RequestEvent, undefined> {
  /** Whoever comes twice within the rush comes from the same place. */
  const clients = new Map<Person, Client>();
  const later: RequestEvent[] = [];
  for (let at = window.from; at < window.until; at += random.exponential(1000 / perSecond)) {
    while (later[0] && later[0].at <= at) yield later.shift() as RequestEvent;
    const person = random.pick(people);
    const client = clients.get(person) ?? person.clientAt(at);
    clients.set(person, client);
    const { username, password } = person.user;
    const base = { actor: person.actor, client };
    const login = { ...base, method: 'POST' as const, path: '/v1/login', authorized: false };
    const wrong = random.chance(person.typoRate) ? random.whole(1, 2) : 0;
    for (let i = 0; i < wrong; i++)
      later.push({ ...login, at: at + i * 4000, body: { username, password: `${password}${random.hex(1)}` } });
    later.push({ ...login, at: at + wrong * 4000, body: { username, password } });
    later.push({ ...base, at: at + wrong * 4000 + 1200, method: 'GET', path: '/v1/account', authorized: true });
    later.sort((a, b) => a.at - b.at);
  }
}
