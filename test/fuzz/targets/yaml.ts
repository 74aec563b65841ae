/** Manifests: whatever stands in a file, it is objects or problems with a place in it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { objectSchemas } from '@picket/crds/validate.ts';
import { loadFolder } from '@picket/runtime/objects/folder-load.ts';
import { parseManifests } from '@picket/runtime/objects/manifest.ts';
import { repositoryRoot } from '../../support/tools.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

export function yamlTarget(): FuzzTarget {
  const manifest = (name: string): Buffer => readFileSync(join(repositoryRoot, 'examples/shop/manifests', name));
  return {
    seeds: [
      manifest('api.yaml'),
      manifest('policy.yaml'),
      Buffer.from(
        'kind: List\napiVersion: v1\nitems:\n- &a { kind: ConfigMap, metadata: { name: x }, data: { a: "b" } }\n- *a\n',
      ),
      Buffer.from(
        '{"apiVersion":"picket.dev/v1alpha1","kind":"PolicyExemption","metadata":{"name":"x"},"spec":{"reason":"r"}}',
      ),
      Buffer.from('a: [1, 2\n---\nb: !!binary "AA=="\n? c\n: d\n<<: { e: f }\n...\n'),
    ],
    dictionary: [
      '- ',
      ': ',
      '\n',
      '\n---\n',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '<<: ',
      '? ',
      '!!',
      '|\n ',
      '>',
      '"',
      "'",
      '#',
      '\t',
      '%',
      '@',
      '`',
      '\0',
      '\ufeff',
      '__proto__: ',
      'spec:',
      'yes',
      '~',
      '0x',
      '1e999',
    ],
    check(input) {
      const parsed = parseManifests('fuzz.yaml', input);
      const rows = input.toString('utf8').split('\n').length;
      for (const problem of parsed.problems)
        must(
          (problem.line ?? 1) >= 1 && (problem.line ?? 1) <= rows + 1,
          `a problem stands on line ${problem.line} of ${rows}`,
        );
      const { objects, problems } = loadFolder({
        files: [parsed],
        unreadable: [],
        previous: new Map(),
        schemas: objectSchemas,
        readText: () => ({ error: 'is not there' }),
      });
      for (const problem of problems) must(problem.message.length > 0, 'a problem says nothing');
      must(objects.size <= parsed.manifests.length, 'objects without a manifest');
      for (const found of parsed.manifests) must(found.locate('spec.x[0].y').line >= 1, 'a field has no place');
      must(!('polluted' in {}), 'every object has a member of the input');
    },
  };
}
