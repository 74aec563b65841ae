/** A CRD as a template of the chart `picket-crds`. */
import { stringify } from 'yaml';
import { customResourceDefinition } from '@picket/crds/schema/document.ts';
import type { Kind } from '@picket/crds/schema/kind.ts';

/** @throws Error when a description would be read as a template */
export function renderCrdTemplate(kind: Kind): string {
  const { metadata, ...rest } = customResourceDefinition(kind);
  if (JSON.stringify(rest).includes('{{')) throw new Error(`${kind.kind}: Helm would read {{ in a description`);
  const marked = {
    apiVersion: rest.apiVersion,
    kind: rest.kind,
    metadata: {
      ...metadata,
      labels: {
        'app.kubernetes.io/name': 'picket-crds',
        'app.kubernetes.io/version': '{{ .Chart.AppVersion }}',
        'app.kubernetes.io/managed-by': '{{ .Release.Service }}',
      },
      // Without its kind every object of a person would go, so uninstalling the chart leaves the kinds alone.
      annotations: { ...metadata.annotations, 'helm.sh/resource-policy': 'keep' },
    },
    spec: rest.spec,
  };
  const text = stringify(marked, { lineWidth: 0, aliasDuplicateObjects: false, singleQuote: true, version: '1.1' });
  return `# Generated from crds/kinds by \`npm run generate -w charts\`. Do not edit.\n${text}`;
}
