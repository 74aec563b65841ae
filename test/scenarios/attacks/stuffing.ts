/** Login abuse: stuffing leaked pairs, guessing one account's password, spraying few passwords over many accounts. */
import type { ShopUser } from '../../../examples/shop/seed-data.ts';
import type { AddressPlan } from '../address-plan.ts';
import { disguisedTool, type Headers, plainTool } from '../devices.ts';
import type { Random } from '../random.ts';
import { type Actor, createJar, type RequestEvent, type Window } from '../request-event.ts';

interface LoginAttack {
  random: Random;
  plan: AddressPlan;
  window: Window;
  /** The shop's customers; an attacker's list holds some of them and many that are not there. */
  users: readonly ShopUser[];
  attemptsPerSecond: number;
}

export interface StuffingOptions extends LoginAttack {
  /** User agent the tool wears; a plain tool when absent. */
  userAgent?: string;
  /** Addresses of relays that belong to ordinary people as well. */
  sharedAddresses?: readonly string[];
  /** Share of attempts that come from those. */
  sharedShare?: number;
  /** 0 = a new address for each attempt. */
  addresses?: number;
  /** Accounts whose leaked password still works; everybody else's has changed. */
  reused?: readonly ShopUser[];
}

type Events = Generator<RequestEvent, undefined>;

/** Pairs from a leak, each tried once. With `addresses: 0` each address is used once, too. */
export function* credentialStuffing(options: StuffingOptions): Events {
  const { random, plan, userAgent, sharedAddresses = [], sharedShare = 0.3, addresses = 0 } = options;
  const headers = userAgent === undefined ? plainTool(random) : disguisedTool(random, userAgent);
  const fixed = Array.from({ length: addresses }, () => (random.chance(0.5) ? plan.hosting() : plan.relay()));
  const shared = random.sample(sharedAddresses, sharedAddresses.length);
  const source = (): string => {
    if (fixed.length > 0) return random.pick(fixed);
    return (random.chance(sharedShare) ? shared.pop() : undefined) ?? plan.relay();
  };
  const actor: Actor = { id: `stuffing/${random.hex(6)}`, label: 'credentialStuffing', persona: 'stuffing' };
  const known = random.sample(options.users, options.users.length);
  // Of a leak from elsewhere, some accounts exist here, and of those few still have the leaked password.
  const reused = random.sample(options.reused ?? [], options.reused?.length ?? 0);
  const knownShare = random.between(0.25, 0.6);
  const reuseRate = random.between(0.002, 0.015);
  for (const at of paced(options)) {
    const hit = random.chance(reuseRate) ? reused.pop() : undefined;
    const user = hit ?? (random.chance(knownShare) ? known.pop() : undefined);
    const password = hit?.password ?? random.hex(10);
    yield loginEvent(at, actor, source(), headers, user?.username ?? strangerName(random), password);
  }
}

/** One account, many passwords. */
export function* bruteForce(options: LoginAttack & { victim: ShopUser; addresses: number }): Events {
  const { random, plan, victim } = options;
  const headers = plainTool(random);
  const sources = Array.from({ length: options.addresses }, () => plan.hosting());
  const actor: Actor = { id: `guessing/${random.hex(6)}`, label: 'bruteForce', persona: 'guessing' };
  for (const at of paced(options)) {
    yield loginEvent(at, actor, random.pick(sources), headers, victim.username, random.hex(8));
  }
}

/** Two or three common passwords over all accounts, in rounds. */
export function* passwordSpraying(options: LoginAttack & { userAgent: string; addresses: number }): Events {
  const { random, plan, users } = options;
  const headers = disguisedTool(random, options.userAgent);
  const sources = Array.from({ length: options.addresses }, () => plan.relay());
  const actor: Actor = { id: `spraying/${random.hex(6)}`, label: 'passwordSpraying', persona: 'spraying' };
  const passwords = random.sample(['Summer2026!', 'Welcome1', 'Password123', 'qwerty!23'], 3);
  let i = 0;
  for (const at of paced(options)) {
    const user = users[i % users.length] as ShopUser;
    const password = passwords[Math.floor(i / users.length) % passwords.length] as string;
    yield loginEvent(at, actor, random.pick(sources), headers, user.username, password);
    i += 1;
  }
}

/** Instants of a tool's attempts: neither even nor human. */
function* paced({ random, window, attemptsPerSecond }: LoginAttack): Generator<number> {
  const meanMs = 1000 / attemptsPerSecond;
  const evenness = random.between(0.2, 0.8);
  for (let at = window.from; at < window.until; ) {
    yield at;
    at += meanMs * evenness + random.exponential(meanMs * (1 - evenness));
  }
}

function loginEvent(
  at: number,
  actor: Actor,
  address: string,
  headers: Headers,
  username: string,
  password: string,
): RequestEvent {
  const client = { address, headers, jar: createJar() };
  return { at, actor, client, method: 'POST', path: '/v1/login', body: { username, password }, authorized: false };
}

function strangerName(random: Random): string {
  return `${random.hex(5)}${random.whole(1, 99)}@mail.example`;
}
