/** Reference page of a kind, in Markdown. */
import { API_VERSION, type Kind } from '../schema/kind.ts';
import type { Schema } from '../schema/schema.ts';

export function renderReference(kind: Kind): string {
  const lines = [
    `<!-- Generated from crds/kinds by \`npm run generate -w crds\`. Do not edit. -->`,
    `# ${kind.kind}`,
    '',
    `${kind.description} Short name \`${kind.shortName}\`, namespaced, \`${API_VERSION}\`.`,
    '',
    '```yaml',
    `apiVersion: ${API_VERSION}`,
    `kind: ${kind.kind}`,
    kind.example.trimEnd(),
    '```',
    '',
    '## spec',
    '',
    ...fieldTable('spec', kind.spec),
    '## status',
    '',
    ...fieldTable('status', kind.status),
    '## Columns of kubectl get',
    '',
    '| column | field | meaning |',
    '|---|---|---|',
    ...kind.columns.map(
      (column) =>
        `| ${column.name.toUpperCase()}${column.priority === undefined ? '' : ' (wide)'} | \`${column.jsonPath}\` | ${cell(column.description)} |`,
    ),
    '',
  ];
  return lines.join('\n');
}

/** Index of the pages. */
export function renderReferenceIndex(kinds: readonly Kind[]): string {
  return [
    `<!-- Generated from crds/kinds by \`npm run generate -w crds\`. Do not edit. -->`,
    '# Reference of the Kubernetes API',
    '',
    `Group and version \`${API_VERSION}\`, category \`picket\`. The same YAML works in a folder for \`picket up\` and in Kubernetes.`,
    '',
    '| kind | short | written by | what it is |',
    '|---|---|---|---|',
    ...kinds.map(
      (kind) =>
        `| [${kind.kind}](${kind.kind.toLowerCase()}.md) | \`${kind.shortName}\` | ${kind.writer === 'Person' ? 'a person' : 'Picket'} | ${cell(kind.description)} |`,
    ),
    '',
  ].join('\n');
}

/** Fields of a schema with their meaning, and its rules. */
export function fieldTable(root: string, schema: Schema): string[] {
  const rows: string[] = [];
  collect(root, schema, rows);
  const rules = ruleLines(root, schema);
  return [
    '| field | type | meaning |',
    '|---|---|---|',
    ...rows,
    '',
    ...(rules.length > 0 ? ['Rules across fields:', '', ...rules, ''] : []),
  ];
}

function collect(path: string, schema: Schema, rows: string[]): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const here = `${path}.${name}`;
    const required = schema.required?.includes(name) === true;
    rows.push(`| \`${here}\`${required ? ' (required)' : ''} | ${typeCell(property)} | ${meaning(property)} |`);
    const inner = property.items ?? property;
    collect(property.items ? `${here}[]` : here, inner, rows);
  }
}

function typeCell(schema: Schema): string {
  if (schema.items) return `list of ${typeCell(schema.items)}`;
  if (schema.additionalProperties) return `map of ${typeCell(schema.additionalProperties)}`;
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.format === 'date-time') return 'instant (RFC 3339)';
  return schema.type ?? 'any JSON';
}

function meaning(schema: Schema): string {
  const parts = [schema.description];
  if (schema.default !== undefined && schema.type !== 'object')
    parts.push(`Default: \`${JSON.stringify(schema.default)}\`.`);
  const bounds = [
    schema.minimum === undefined ? '' : `${schema.exclusiveMinimum === true ? 'above' : 'from'} ${schema.minimum}`,
    schema.maximum === undefined ? '' : `up to ${schema.maximum}`,
    schema.maxItems === undefined ? '' : `at most ${schema.maxItems} items`,
  ].filter((bound) => bound !== '');
  if (bounds.length > 0) parts.push(`Range: ${bounds.join(', ')}.`);
  return cell(parts.join(' '));
}

function ruleLines(path: string, schema: Schema): string[] {
  const own = (schema.rules ?? []).map((rule) => `- \`${path}${rule.fieldPath ?? ''}\`: ${rule.message}`);
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    ruleLines(`${path}.${name}${property.items ? '[]' : ''}`, property.items ?? property),
  );
  return [...own, ...inner];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
