import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, it } from 'vitest';
import { Key } from '../engine/key-kind.ts';
import type { Sighting } from '../engine/sighting.ts';
import type { Verdict } from '../verdict.ts';
import type { CoordinatorOutput } from './coordinator-output.ts';
import { type Asked, hexOf, pseudonymOf, recordOf } from './testing/requests.ts';
import { changes, minute, policyWith, sighting, type Stage, standingOf, start, startStage } from './testing/stage.ts';

const day = 86_400_000;
const actOn = [PrincipalKind.USER, PrincipalKind.SESSION, PrincipalKind.TOKEN, PrincipalKind.ADDRESS];
const attackers = { network: '203.0.113', agent: 'tool' };

function setUp(): Stage & {
  ask(asked: Asked): void;
  blame(kind: number, who: string, at: number, over?: Partial<Sighting>): CoordinatorOutput;
  verdictOn(who: string): Verdict | undefined;
} {
  const stage = startStage({ policy: policyWith({ actOn }), standing: standingOf(10_000) });
  const see = (asked: Asked): void => {
    const { u32, f64 } = recordOf(asked);
    stage.coordinator.see(u32, f64, 0);
  };
  return {
    ...stage,
    ask: see,
    blame(kind, who, at, over = {}) {
      const [valueLo, valueHi] = pseudonymOf(who);
      return stage.tick(at, sighting({ until: at, code: kind, valueLo, valueHi, ...over }));
    },
    verdictOn: (who) => stage.coordinator.verdicts().find((v) => v.pseudonym === hexOf(who)),
  };
}

const from = (network: string, agent: string): Sighting['traits'] => [
  { trait: 'userAgent', value: hexOf(agent) },
  { trait: 'network', value: hexOf(network) },
];
const login = (account: string, session: string, at: number, over: Partial<Asked> = {}): Asked => ({
  ...{ at, account, session, login: 'success' },
  ...over,
});
/** Logs in from its own place for two days before the incident. */
const livesAt = (stage: ReturnType<typeof setUp>, account: string, over: Partial<Asked> = {}): void => {
  for (const days of [2, 1]) stage.ask(login(account, `${account}-old-${days}`, start - days * day, over));
  stage.tick(start - minute);
};

describe('logging in again', () => {
  it('sheds nothing: the new session of a denied one is denied, and says from whom', () => {
    const stage = setUp();
    stage.ask(login('mallory', 's1', start, attackers));
    const denied = stage.blame(Key.session, 's1', start + minute);
    expect(changes(denied)).toEqual(['decided DENY']);
    stage.ask({ ...login('mallory', 's2', start + 2 * minute, { ...attackers, network: '192.0.2' }), seq: 7 });
    const born = stage.tick(start + 2 * minute, sighting({ until: start, surprise: 2, valueLo: 9 }));
    expect(changes(born)).toEqual(['decided DENY']);
    const verdict = stage.verdictOn('s2');
    expect(verdict?.inheritsFrom).toBe(stage.verdictOn('s1')?.name);
    expect(verdict?.contributions.map((c) => c.source)).toEqual([`inherited from ${stage.verdictOn('s1')?.name}`]);
    expect(verdict?.contributions.reduce((sum, c) => sum + c.points, 0)).toBeCloseTo(verdict?.score ?? 0, 0);
    const ends = (output: CoordinatorOutput) => Number(output.decisions[0]?.decision.expiresAtMs);
    expect(ends(born)).toBe(ends(denied));
  });

  it('reaches the sessions that are open already, and what is inherited passes on to nobody', () => {
    const stage = setUp();
    stage.ask(login('mallory', 's1', start, attackers));
    stage.ask(login('mallory', 's2', start + 1, attackers));
    // The second session is one of another user, too.
    stage.ask({ at: start + 2, session: 's2', user: 'u', ...attackers });
    stage.ask({ at: start + 3, session: 's3', user: 'u', ...attackers });
    const output = stage.blame(Key.session, 's1', start + minute);
    expect(output.verdicts.map((v) => v.pseudonym).sort()).toEqual([hexOf('s1'), hexOf('s2')].sort());
    expect(stage.verdictOn('s3')).toBeUndefined();
  });

  it('many times sheds nothing either, before the abuse or after it', () => {
    const stage = setUp();
    const logins = (name: string, at: number): void => {
      for (let i = 0; i < 20; i++) stage.ask(login('mallory', `${name}-${i}`, at + i, attackers));
    };
    stage.ask(login('mallory', 's1', start, attackers));
    logins('before', start + 1);
    stage.blame(Key.session, 's1', start + minute);
    logins('after', start + 2 * minute);
    stage.tick(start + 2 * minute + 20);
    stage.ask(login('mallory', 'last', start + 3 * minute, attackers));
    stage.tick(start + 3 * minute);
    expect(stage.verdictOn('before-19')?.decision).toBeDefined();
    expect(stage.verdictOn('after-19')?.decision).toBeDefined();
    expect(stage.verdictOn('last')?.decision).toBeDefined();
  });

  it('fades with its source, and ends with the decision on it', () => {
    const stage = setUp();
    stage.ask(login('mallory', 's1', start, attackers));
    stage.ask(login('mallory', 's2', start, attackers));
    stage.blame(Key.session, 's1', start + minute);
    const before = stage.verdictOn('s2')?.score ?? 0;
    expect(before).toBeGreaterThan(85);
    const later = stage.tick(start + 12 * minute);
    expect(changes(later)).toEqual(['expired DENY', 'expired DENY']);
    stage.tick(start + 62 * minute);
    expect(stage.verdictOn('s2')?.score ?? 0).toBeLessThan(before / 2);
  });

  it('is forgiven with a review of the source', () => {
    const stage = setUp();
    stage.ask(login('mallory', 's1', start, attackers));
    stage.ask(login('mallory', 's2', start, attackers));
    stage.blame(Key.session, 's1', start + minute);
    const name = stage.verdictOn('s1')?.name ?? '';
    const { output } = stage.coordinator.review(name, 'FalsePositive', start + 2 * minute);
    expect(changes(output)).toEqual(['lifted DENY', 'lifted DENY']);
    expect(stage.verdictOn('s2')).toBeUndefined();
  });

  it('of a vouched user gives a token that is denied', () => {
    const stage = setUp();
    stage.ask({ at: start, user: 'mallory', token: 't1', ...attackers });
    stage.blame(Key.user, 'mallory', start + minute, { traits: from('203.0.113', 'tool') });
    stage.ask({ at: start + 2 * minute, user: 'mallory', token: 't2', ...attackers });
    stage.tick(start + 2 * minute);
    expect(stage.verdictOn('t2')?.decision).toBeDefined();
  });
});

it('an exempted caller inherits, and is not acted on', () => {
  const stage = setUp();
  stage.ask(login('mallory', 's1', start, attackers));
  stage.ask({ ...login('mallory', 's2', start, attackers), exempt: true });
  const output = stage.blame(Key.session, 's1', start + minute);
  expect(changes(output)).toEqual(['decided DENY']);
  expect(stage.verdictOn('s2')?.enforceable.reason).toBe('Exempt');
});

describe('a rightful owner', () => {
  it('is spared when somebody else has the password, whoever logged in first', () => {
    const stage = setUp();
    livesAt(stage, 'anna');
    stage.ask(login('anna', 'anna-open', start - minute));
    stage.ask(login('anna', 'guessed', start, attackers));
    stage.blame(Key.session, 'guessed', start + minute, { traits: from('203.0.113', 'tool') });
    stage.ask(login('anna', 'anna-new', start + 2 * minute));
    stage.tick(start + 2 * minute);
    expect(stage.coordinator.verdicts().map((v) => v.pseudonym)).toEqual([hexOf('guessed')]);
    // The intruder gets no further by logging in again.
    stage.ask(login('anna', 'guessed-again', start + 3 * minute, { ...attackers, network: '192.0.2' }));
    stage.tick(start + 3 * minute);
    expect(stage.verdictOn('guessed-again')?.decision).toBeDefined();
    expect(stage.verdictOn('anna-new')).toBeUndefined();
  });

  it('whose session was stolen logs in again and is free, unless it happens from home again', () => {
    const stage = setUp();
    livesAt(stage, 'anna');
    const stolen = (session: string, at: number): void => {
      stage.ask(login('anna', session, at));
      stage.blame(Key.session, session, at + minute, { traits: from('203.0.113', 'tool') });
    };
    stolen('first', start);
    stage.ask(login('anna', 'second', start + 2 * minute));
    stage.tick(start + 2 * minute);
    expect(stage.verdictOn('second')).toBeUndefined();
    stolen('second', start + 2 * minute);
    stage.ask(login('anna', 'third', start + 5 * minute));
    stage.tick(start + 5 * minute);
    expect(stage.verdictOn('third')?.inheritsFrom).toBeDefined();
  });

  it('keeps its homes, however many places an intruder logs in from', () => {
    const stage = setUp();
    livesAt(stage, 'anna');
    for (let i = 0; i < 50; i++)
      stage.ask(login('anna', `in-${i}`, start + i, { network: `203.0.${i}`, agent: 'tool' }));
    stage.ask(login('anna', 'anna-new', start + 100));
    stage.blame(Key.session, 'in-49', start + minute, { traits: from('203.0.49', 'tool') });
    expect(stage.verdictOn('in-48')?.decision).toBeDefined();
    expect(stage.verdictOn('anna-new')).toBeUndefined();
  });
});

describe('nobody is blamed through', () => {
  const blamed = (stage: ReturnType<typeof setUp>): string[] =>
    stage.coordinator
      .verdicts()
      .map((v) => v.pseudonym)
      .sort();

  it('a failed login, a user nobody vouched for, or an address', () => {
    const stage = setUp();
    stage.ask(login('anna', 'sa', start));
    stage.ask({ ...login('anna', 'sm', start), login: 'failure' });
    stage.ask({ at: start, session: 'sm', user: 'anna', unverified: true });
    stage.ask({ at: start, session: 'sv', user: 'anna', address: '198.51.100.1' });
    stage.blame(Key.session, 'sm', start + minute);
    stage.blame(Key.address, '198.51.100.1', start + minute);
    expect(blamed(stage)).toEqual([hexOf('198.51.100.1'), hexOf('sm')].sort());
  });

  it('a token that several users come with', () => {
    const stage = setUp();
    stage.ask({ at: start, token: 'app', user: 'anna' });
    stage.ask({ at: start, session: 'sa', user: 'anna' });
    stage.ask({ at: start, token: 'app', user: 'mallory' });
    stage.blame(Key.token, 'app', start + minute);
    expect(blamed(stage)).toEqual([hexOf('app')]);
  });

  it('a session planted in the browser of a vouched user', () => {
    const stage = setUp();
    stage.ask(login('mallory', 'planted', start, attackers));
    stage.ask({ at: start + 1, session: 'planted', user: 'anna' });
    stage.ask({ at: start + 2, token: 'ta', user: 'anna' });
    stage.blame(Key.session, 'planted', start + minute);
    expect(blamed(stage)).toEqual([hexOf('planted')]);
  });

  it('a session planted before its login', () => {
    const stage = setUp();
    stage.ask(login('mallory', 'planted', start, attackers));
    stage.ask(login('anna', 'planted', start + 1));
    stage.ask(login('anna', 'sa', start + 2));
    stage.blame(Key.session, 'planted', start + minute);
    expect(blamed(stage)).toEqual([hexOf('planted')]);
  });
});

describe('a login that hands out a session to a suspect', () => {
  const stuffing = { detector: 'credentialStuffing', family: 'identity' } as const;

  it('before or after the suspicion: the session inherits, the account does not', () => {
    const stage = setUp();
    livesAt(stage, 'anna');
    stage.ask(login('anna', 'anna-open', start));
    stage.ask(login('anna', 'taken', start + 1, attackers));
    stage.blame(Key.address, '203.0.113.1', start + minute, { ...stuffing, since: start });
    stage.ask(login('bob', 'taken-later', start + 2 * minute, attackers));
    stage.ask(login('bob', 'bob-new', start + 2 * minute + 1));
    stage.tick(start + 2 * minute);
    expect(stage.verdictOn('taken')?.decision).toBeDefined();
    expect(stage.verdictOn('taken-later')?.decision).toBeDefined();
    for (const spared of ['anna-open', 'bob-new']) expect(stage.verdictOn(spared)).toBeUndefined();
  });

  it('spares who is at home there', () => {
    const stage = setUp();
    livesAt(stage, 'anna', attackers);
    stage.blame(Key.address, '203.0.113.1', start + minute, { ...stuffing, since: start });
    stage.ask(login('anna', 'anna-new', start + 2 * minute, attackers));
    stage.tick(start + 2 * minute);
    expect(stage.verdictOn('anna-new')).toBeUndefined();
  });

  it('lends nothing where many share the address', () => {
    const stage = setUp();
    stage.coordinator.shared(hexOf('203.0.113.1'), 40);
    stage.ask(login('anna', 'taken', start + 1, attackers));
    stage.blame(Key.address, '203.0.113.1', start + minute, { ...stuffing, since: start });
    expect(stage.verdictOn('taken')).toBeUndefined();
  });

  it('lends the suspect’s own program only where a few share the address', () => {
    const stage = setUp();
    stage.coordinator.shared(hexOf('203.0.113.1'), 3);
    stage.ask(login('anna', 'taken', start + 1, attackers));
    stage.ask(login('carl', 'of-the-neighbour', start + 1, { ...attackers, agent: 'browser' }));
    stage.blame(Key.address, '203.0.113.1', start + minute, {
      ...{ ...stuffing, since: start, traits: from('203.0.113', 'tool') },
    });
    expect(stage.verdictOn('taken')?.decision).toBeDefined();
    expect(stage.verdictOn('of-the-neighbour')).toBeUndefined();
  });

  it('inherits from a campaign whose traits it shows', () => {
    const stage = setUp();
    stage.ask(login('anna', 'taken', start + 1, { agent: 'bot' }));
    stage.ask(login('bob', 'free', start + 1));
    const traits = [{ trait: 'userAgent' as const, value: hexOf('bot') }];
    const campaign = { precision: 0.95, coverage: 100, addresses: 100, accounts: 100, standing: 0 };
    stage.blame(Key.trait, 'bots', start + minute, {
      ...{ detector: 'distributedStuffing', family: 'identity', since: start, traits, campaign },
    });
    expect(stage.verdictOn('taken')?.decision).toBeDefined();
    expect(stage.verdictOn('free')).toBeUndefined();
  });
});

it('a restart forgets none of it', () => {
  const before = setUp();
  livesAt(before, 'anna');
  before.ask(login('anna', 'guessed', start, attackers));
  before.blame(Key.session, 'guessed', start + minute, { traits: from('203.0.113', 'tool') });
  const after = setUp();
  after.coordinator.load(structuredClone(before.coordinator.save()));
  for (const stage of [before, after]) {
    stage.ask(login('anna', 'anna-new', start + 2 * minute));
    stage.ask(login('anna', 'again', start + 2 * minute, attackers));
    stage.tick(start + 2 * minute);
  }
  expect(after.coordinator.verdicts()).toEqual(before.coordinator.verdicts().map((v) => ({ ...v, tick: 1 })));
  expect(after.verdictOn('again')?.decision).toBeDefined();
});
