import { describe, expect, test } from 'vitest';
import { digest, maxInputBytes, siphash, siphashScoped } from './siphash.ts';

const key = new Uint32Array(Uint8Array.from({ length: 16 }, (_, i) => i).buffer);

/** Little-endian bytes of the digest, as the reference vectors print them. */
function digestHex(): string {
  const words = new Uint32Array([digest.lo, digest.hi]);
  return Buffer.from(words.buffer).toString('hex');
}

describe('siphash', () => {
  // Appendix A of the paper, and the first vectors of the reference implementation: key 00..0f, message 00 01 02 ...
  test.each([
    [0, '310e0edd47db6f72'],
    [1, 'fd67dc93c539f874'],
    [2, '5a4fa9d909806c0d'],
    [3, '2d7efbd796666785'],
    [4, 'b7877127e09427cf'],
    [15, 'e545be4961ca29a1'],
  ])('equals the reference on %i bytes', (length, hex) => {
    siphash(key, String.fromCharCode(...Array.from({ length }, (_, i) => i)));
    expect(digestHex()).toBe(hex);
  });

  test('hashes text outside ASCII by its UTF-8 bytes, and lone surrogates without throwing', () => {
    siphash(key, 'grün');
    const first = digestHex();
    siphash(key, 'gru\u0308n');
    expect(digestHex()).not.toBe(first);
    siphash(key, '\ud800');
    expect(digestHex()).toHaveLength(16);
  });

  test('cuts what is longer than the bound', () => {
    siphash(key, 'a'.repeat(maxInputBytes));
    const whole = digestHex();
    siphash(key, 'a'.repeat(maxInputBytes * 4));
    expect(digestHex()).toBe(whole);
  });

  test('separates scopes', () => {
    siphashScoped(key, 1, 2, 'x');
    const first = digestHex();
    siphashScoped(key, 1, 3, 'x');
    expect(digestHex()).not.toBe(first);
  });
});
