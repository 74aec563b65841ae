import { expect, it } from 'vitest';
import { Key } from '../engine/key-kind.ts';
import { F } from '../observation.ts';
import { IdentityLinks } from './identity-links.ts';
import { pseudonymOf, recordOf } from './testing/requests.ts';

const start = Date.UTC(2026, 0, 5, 12);

it('cookies that one user makes up push nobody else’s credentials out', () => {
  const links = new IdentityLinks();
  const owners = (kind: number, who: string) => links.ownersOf(kind, ...pseudonymOf(who));
  const read = ({ u32, f64 }: ReturnType<typeof recordOf>) => links.read(u32, f64, 0);
  read(recordOf({ at: start, account: 'anna', session: 'anna-1', login: 'success' }));
  read(recordOf({ at: start, user: 'ben', session: 'ben-1', token: 'ben-t' }));
  const flood = recordOf({ at: start, user: 'mallory', session: 'x' });
  for (let i = 1; i <= 200_000; i++) {
    flood.f64[F.eventAt >> 1] = start + i * 10;
    flood.u32[F.session] = i;
    read(flood);
  }
  expect(owners(Key.session, 'anna-1')).toHaveLength(1);
  expect(owners(Key.session, 'ben-1')).toHaveLength(1);
  expect(owners(Key.token, 'ben-t')).toHaveLength(1);
  // A day later a session of that user's is linked as anybody's.
  read(recordOf({ at: start + 86_400_000, user: 'mallory', session: 'real' }));
  expect(owners(Key.session, 'real')).toHaveLength(1);
});
