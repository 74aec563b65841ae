/** The images, really built from the Dockerfile, and what is and is not in them. */
import { describe, expect, it } from 'vitest';
import { buildah, buildImage, imagesMissing, type ImageTarget, runInImage } from '../support/images.ts';

const missing = imagesMissing();

const programs: Record<ImageTarget, string> = {
  operator: 'Usage: picket-operator',
  analyzer: 'Usage: picket-analyzer',
  standalone: 'Usage: picket',
};

describe.skipIf(missing)(`images${missing ? ` (${missing})` : ''}`, () => {
  it.each(Object.keys(programs) as ImageTarget[])(
    '%s starts as nobody, and holds no more than it runs',
    async (target) => {
      const image = await buildImage(target);
      const {
        OCIv1: { config },
      } = JSON.parse(await buildah(['inspect', '--type', 'image', image])) as {
        OCIv1: { config: { User: string; Entrypoint: string[] } };
      };
      expect(config.User).toBe('65532:65532');
      const help = await runInImage(image, [...config.Entrypoint, '--help']);
      expect(help.err + help.out).toContain(programs[target]);
      expect(help.code).toBe(0);
      const found = await runInImage(image, [
        'sh',
        '-c',
        [
          'id -u',
          'command -v npm || echo no npm',
          "find /app -name '*.test.ts' -not -path '*/node_modules/*' | head -3",
          'ls -d /app/node_modules/vitest /app/node_modules/typescript /app/test /app/docs 2>/dev/null',
          'touch /app/x 2>/dev/null && echo wrote to /app',
          'find /app -writable -not -type l | head -3',
          'true',
        ].join('; '),
      ]);
      expect(found.out).toBe('65532\nno npm\n');
    },
    15 * 60_000,
  );
});
