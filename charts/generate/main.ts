/** Writes what is generated of the charts; `npm run check` fails when the result differs from Git. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { kinds } from '@picket/crds/kinds/kinds.ts';
import { GROUP } from '@picket/crds/schema/kind.ts';
import { values } from '../values.ts';
import { renderCrdTemplate } from './crd-template.ts';
import { renderValuesReference } from './values-reference.ts';
import { renderValuesSchema } from './values-schema.ts';
import { renderValuesYaml } from './values-yaml.ts';

const crds = new URL('../picket-crds/templates/', import.meta.url);
const chart = new URL('../picket/', import.meta.url);
const reference = new URL('../../docs/reference/', import.meta.url);
mkdirSync(crds, { recursive: true });
for (const name of readdirSync(crds)) rmSync(new URL(name, crds));
for (const kind of kinds) writeFileSync(new URL(`${GROUP}_${kind.plural}.yaml`, crds), renderCrdTemplate(kind));
writeFileSync(new URL('values.yaml', chart), renderValuesYaml(values));
writeFileSync(new URL('values.schema.json', chart), renderValuesSchema(values));
writeFileSync(new URL('chart-values.md', reference), renderValuesReference(values));
