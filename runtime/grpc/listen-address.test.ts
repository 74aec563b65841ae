import { describe, expect, it } from 'vitest';
import { parseListenAddress } from './listen-address.ts';

describe('parseListenAddress', () => {
  it.each(['127.0.0.1:0', '127.8.9.10:18090', 'localhost:1', '[::1]:65535'])('takes %s for this machine only', (text) =>
    expect(parseListenAddress(text, '--x')).toEqual({ target: text, loopback: true }),
  );

  it.each(['0.0.0.0:18090', '[::]:18090', '10.0.0.1:1', 'example.com:443', '127.0.0.1.example.com:1'])(
    'takes %s for open to others',
    (text) => expect(parseListenAddress(text, '--x')).toEqual({ target: text, loopback: false }),
  );

  it.each([
    '',
    '18090',
    ':18090',
    '127.0.0.1',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    '::1:80',
    'a b:1',
    'unix:/run/picket.sock',
  ])('refuses "%s", naming the flag and the form', (text) =>
    expect(() => parseListenAddress(text, '--als-listen')).toThrow(/^--als-listen: ".*" is not an address; write/),
  );
});
