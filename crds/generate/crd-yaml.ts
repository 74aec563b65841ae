import { stringify } from 'yaml';
import type { Kind } from '../schema/kind.ts';
import { customResourceDefinition } from '../schema/document.ts';

/** CRD as YAML; one document per file, as `kubectl apply -f` and Helm take it. */
export function renderCrdYaml(kind: Kind): string {
  const body = stringify(customResourceDefinition(kind), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
    singleQuote: true,
    version: '1.1',
  });
  return `# Generated from crds/kinds by \`npm run generate -w crds\`. Do not edit.\n${body}`;
}
