/** What people ask for and do not get: nobody attacks who follows a dead link, mistypes an address or runs an old app. */
import type { ShopData } from '../../examples/shop/seed-data.ts';
import type { Person } from './population.ts';
import { createRandom, type Random } from './random.ts';

/** Share of visits that begin so. */
const bookmarked = 0.02;
const mistyped = 0.006;
const icons = 0.01;
/** Share of people whose app still asks for what a release removed, at every start. */
const outdated = 0.03;

/** Paths a visit begins with that are not there. */
export function* missesAtStart(random: Random, person: Person, data: ShopData): Generator<string> {
  const habits = createRandom(`misses/${person.user.id}`);
  if (habits.chance(outdated)) yield* ['/v1/recommendations', ...(habits.chance(0.3) ? ['/v1/config'] : [])];
  // A bookmark is kept, and so is its being out of date.
  if (random.chance(bookmarked)) yield `/v1/products/${habits.pick(gone(data))}`;
  if (random.chance(mistyped)) yield* mistypings(random, data);
  if (random.chance(icons)) yield '/v1/favicon.ico';
}

/** Products that were taken out of the range and that lists, mails and other sites still link to. */
export function gone(data: ShopData): number[] {
  const last = Math.max(...data.products.map((p) => p.id));
  return Array.from({ length: 25 }, (_, i) => last + 7 * (i + 1));
}

function mistypings(random: Random, data: ShopData): string[] {
  const { id } = random.pick(data.products);
  const wrong = [
    `/v1/product/${id}`,
    `/v1/products/${id}.`,
    `/v1/prodcuts`,
    `/v1/products/${id}/`,
    '/v1/acount',
    '/v1',
  ];
  return random.sample(wrong, random.whole(1, 3));
}
