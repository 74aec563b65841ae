import { describe, expect, test } from 'vitest';
import { addressText, networkText, parseAddress } from './address.ts';
import { createCidrTable } from './cidr-table.ts';

describe('addresses', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', '192.0.2.0/24'],
    ['192.0.2.7:51234', '192.0.2.7', '192.0.2.0/24'],
    ['255.255.255.255', '255.255.255.255', '255.255.255.0/24'],
    ['::ffff:10.1.2.3', '10.1.2.3', '10.1.2.0/24'],
    ['::ffff:a01:203', '10.1.2.3', '10.1.2.0/24'],
    ['64:ff9b::10.1.2.3', '10.1.2.3', '10.1.2.0/24'],
    ['2001:db8::1', '2001:db8:0:0::/64', '2001:db8:0::/48'],
    ['[2001:DB8:A:B::1]:443', '2001:db8:a:b::/64', '2001:db8:a::/48'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0::/48'],
    ['::', '0:0:0:0::/64', '0:0:0::/48'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64', '1:2:3::/48'],
  ])('%s', (text, principal, network) => {
    expect(parseAddress(text)).toBe(true);
    expect([addressText(), networkText()]).toEqual([principal, network]);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    'a.b.c.d',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '12345::',
    '-',
    'x'.repeat(99),
  ])('%s is none', (text) => {
    expect(parseAddress(text)).toBe(false);
  });
});

describe('prefix table', () => {
  const invalid: string[] = [];
  const table = createCidrTable(
    [
      ['10.0.0.0/8', 1],
      ['10.1.0.0/16', 3],
      ['10.1.2.3', 2],
      ['0.0.0.0/0', 0.5],
      ['2001:db8::/33', 4],
      ['::ffff:198.51.100.0/120', 5],
      ['10.0.0.0/33', 9],
      ['host', 9],
    ],
    (text) => invalid.push(text),
  );

  test.each([
    ['10.1.2.3', 3],
    ['10.9.9.9', 1],
    ['11.0.0.1', 0.5],
    ['198.51.100.77', 5],
    ['2001:db8:7fff::1', 4],
    ['2001:db8:8000::1', 0],
  ])('%s → %d', (text, value) => {
    parseAddress(text);
    expect(table.lookup()).toBe(value);
  });

  test('what is no prefix is reported', () => {
    expect(invalid).toEqual(['10.0.0.0/33', 'host']);
  });
});
