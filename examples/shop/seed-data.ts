/** What the shop knows when it opens: customers, staff, products and orders, the same for the same seed. */

export interface ShopUser {
  /** Subject of the user's tokens, for example "u-30417". */
  id: string;
  username: string;
  password: string;
  name: string;
  role: 'customer' | 'staff';
  /** Ids of the user's orders. */
  orders: number[];
  balanceCents: number;
}

export interface Product {
  id: number;
  name: string;
  category: string;
  priceCents: number;
  description: string;
}

export interface Order {
  id: number;
  owner: string;
  totalCents: number;
  items: { product: number; quantity: number }[];
}

export interface ShopData {
  users: ShopUser[];
  products: Product[];
  orders: Map<number, Order>;
}

export interface ShopSize {
  customers: number;
  staff: number;
  products: number;
}

export const defaultShopSize: ShopSize = { customers: 1200, staff: 12, products: 2400 };

const firstNames =
  'ada ben cleo dan eva finn gus hana ivo jun kai lea max nora otto pia ravi sam tess uma vic wes yara zoe'.split(' ');
const lastNames =
  'abel berg costa diaz elmi frost grant haas ito jansen klein lopez moor novak okoye park quist rossi silva tran'.split(
    ' ',
  );
const things = 'lamp chair kettle desk rug clock shelf mug vase stool mirror basket tray bench frame'.split(' ');
const looks = 'oak walnut steel linen clay glass brass wool cork slate ash cotton copper marble'.split(' ');
const categories = ['home', 'kitchen', 'office', 'garden', 'light'];

export function seedShop(seed: number, size: ShopSize = defaultShopSize): ShopData {
  const next = numbers(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const products: Product[] = [];
  for (let id = 10_000, i = 0; i < size.products; i++) {
    id += 1 + Math.floor(next() * 30);
    const name = `${pick(looks)} ${pick(things)}`;
    const sentences = 2 + Math.floor(next() * 6);
    const description = Array.from(
      { length: sentences },
      () => `A ${pick(looks)} ${pick(things)} for a ${pick(looks)} room.`,
    );
    const priceCents = 500 + Math.floor(next() * 40_000);
    products.push({ id, name, category: pick(categories), priceCents, description: description.join(' ') });
  }
  const users: ShopUser[] = [];
  for (let i = 0; i < size.customers + size.staff; i++) {
    const first = pick(firstNames);
    const last = pick(lastNames);
    users.push({
      id: `u-${30_000 + i * 7 + Math.floor(next() * 7)}`,
      username: `${first}.${last}${i}@example.com`,
      password: `${pick(looks)}-${pick(things)}-${Math.floor(next() * 10_000)}`,
      name: `${first} ${last}`,
      role: i < size.customers ? 'customer' : 'staff',
      orders: [],
      balanceCents: Math.floor(next() * 500_000),
    });
  }
  return { users, products, orders: seedOrders(users.slice(0, size.customers), products, next) };
}

/** Orders come in over time from everybody, so one customer's ids are spread over the whole range. */
function seedOrders(
  customers: readonly ShopUser[],
  products: readonly Product[],
  next: () => number,
): Map<number, Order> {
  const orders = new Map<number, Order>();
  let id = 400_000;
  for (let i = 0; i < customers.length * 5; i++) {
    id += 1 + Math.floor(next() * 3);
    const owner = customers[Math.floor(next() * customers.length)] as ShopUser;
    const items = Array.from({ length: 1 + Math.floor(next() * 4) }, () => ({
      product: (products[Math.floor(next() * products.length)] as Product).id,
      quantity: 1 + Math.floor(next() * 3),
    }));
    orders.set(id, { id, owner: owner.id, totalCents: 1000 + Math.floor(next() * 60_000), items });
    owner.orders.push(id);
  }
  return orders;
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
