import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SeenRequest } from './collector.ts';
import { createRecentLines } from './recent-lines.ts';

it('gives back what was kept last, and nothing that was written over', () => {
  const texts = fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 80 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 12 }), (lines, capacity) => {
      const bytes = 256;
      const recent = createRecentLines(capacity, bytes);
      lines.forEach((text, i) => {
        const seen = { seq: i + 1, eventAtMs: i, method: 'GET', template: `/${i}`, status: 200, file: 'f', line: i };
        recent.add(seen as SeenRequest, text);
      });
      const found = recent.find(lines.map((_, i) => i + 1));
      for (const { line, text } of found) expect(text).toBe(Buffer.from(lines[line] as string).toString());
      // The last of them in order, as many as there is room for.
      expect(found.map((l) => l.line)).toEqual(lines.map((_, i) => i).slice(lines.length - found.length));
      expect(found.length).toBeLessThanOrEqual(capacity);
      const last = lines.slice(-capacity).map((text) => Buffer.byteLength(text));
      if (last.reduce((sum, n) => sum + n + 180, 0) <= bytes) expect(found).toHaveLength(last.length);
      if (lines.length > 0) expect(found.length).toBeGreaterThan(0);
    }),
  );
});
