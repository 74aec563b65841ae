import { describe, expect, it } from 'vitest';
import { readRequestTarget } from './request-target.ts';

const read = (target: string) => readRequestTarget('GET', target, 'a.example', new Uint32Array([1, 2, 3, 4]));
const same = (a: string, b: string): boolean => {
  const [x, y] = [read(a), read(b)];
  return x.targetLo === y.targetLo && x.targetHi === y.targetHi;
};

describe('a target', () => {
  it('is the same at any time it is asked for, and another one for another page', () => {
    expect(same('/q?panel=3&start=1714550400&end=1714554000', '/q?panel=3&start=1714550405&end=1714554005')).toBe(true);
    expect(same('/q?_=1714550400123', '/q')).toBe(true);
    expect(same('/q?at=2024-05-01T10:00:00Z&x=1', '/q?at=2024-05-01T10:00:05Z&x=1')).toBe(true);
    expect(same('/q?page=3', '/q?page=4')).toBe(false);
    expect(same('/q?itemid=1714550400', '/q?itemid=1714550405')).toBe(false);
  });

  it.each([
    ['/api/invoices?id=4711', 'id', '4711'],
    ['/view.php?uid=81&x=1', 'uid', '81'],
    ['/api/o?order_id=A-10293', 'order_id', 'A-10293'],
    ['/api/o?account=3f2a9c81b7d0', 'account', '3f2a9c81b7d0'],
    ['/api/o?customerId=77', 'customerId', '77'],
    ['/p?session_id=8812', '', ''],
    ['/p?gclid=88123', '', ''],
    ['/p?category_id=12', '', ''],
    ['/p?id=about', '', ''],
    ['/p?page=12', '', ''],
  ])('%s names the record %s %s', (target, name, id) => {
    expect([read(target).parameter, read(target).parameterId]).toEqual([name, id]);
  });

  it.each([
    ['/api/customers/8123/picture', true],
    ['/backup/data/3f/3f2a9c81b7d04e5f3f2a9c81b7d04e5f', true],
    ['/admin/backup', false],
    ['/uploads/2024/shell.php', false],
    ['/v1/users', false],
  ])('%s looks a record up: %s', (target, expected) => {
    expect(read(target).recordPath).toBe(expected);
  });

  it.each([
    ['/backup', true],
    ['/wso.php', true],
    ['/wp-content/plugins/akismet/readme.txt', true],
    ['/products', false],
    ['/blog/how-to-test', false],
    ['/api/v1/orders', false],
  ])('%s is a name that is tried everywhere: %s', (target, expected) => {
    expect(read(target).triedName).toBe(expected);
  });
});
