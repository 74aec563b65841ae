/** Writes everything that is generated from `crds/kinds`; `npm run check` fails when the result differs from Git. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { events } from '../kinds/events.ts';
import { kinds } from '../kinds/kinds.ts';
import { GROUP } from '../schema/kind.ts';
import { renderCrdYaml } from './crd-yaml.ts';
import { renderEventReference, renderEventSchema } from './event-schema.ts';
import { renderReference, renderReferenceIndex } from './reference.ts';
import { renderTypes } from './typescript.ts';

const gen = new URL('../gen/', import.meta.url);
const reference = new URL('../../docs/reference/', import.meta.url);
mkdirSync(gen, { recursive: true });
mkdirSync(reference, { recursive: true });
for (const name of readdirSync(gen)) rmSync(new URL(name, gen));
for (const kind of kinds) {
  writeFileSync(new URL(`${GROUP}_${kind.plural}.yaml`, gen), renderCrdYaml(kind));
  writeFileSync(new URL(`${kind.kind.toLowerCase()}.md`, reference), renderReference(kind));
}
writeFileSync(new URL('README.md', reference), renderReferenceIndex(kinds));
writeFileSync(new URL('types.ts', gen), renderTypes(kinds, Object.values(events)));
writeFileSync(new URL('events.schema.json', reference), renderEventSchema(events));
writeFileSync(new URL('events.md', reference), renderEventReference(events));
