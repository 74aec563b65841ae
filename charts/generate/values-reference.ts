/** The reference page of the values. */
import { type Group, isGroup, type Leaf } from '../value.ts';

export function renderValuesReference(values: Group): string {
  return [
    '<!-- Generated from charts/values.ts by `npm run generate -w charts`. Do not edit. -->',
    '# Values of the chart `picket`',
    '',
    'Unknown keys are refused. `helm show values charts/picket` prints the same as YAML.',
    '',
    '| value | default | meaning |',
    '|---|---|---|',
    ...rows(values, ''),
    '',
  ].join('\n');
}

function rows(values: Group, prefix: string): string[] {
  return Object.entries(values.values).flatMap(([name, value]) =>
    isGroup(value) ? rows(value, `${prefix}${name}.`) : [row(`${prefix}${name}`, value)],
  );
}

function row(name: string, { description, default: initial, schema, options }: Leaf): string {
  const shown = initial === '' ? '–' : `\`${JSON.stringify(initial)}\``;
  const choices = options ? ` One of ${options.map((option) => `\`${option}\``).join(', ')}.` : '';
  return `| \`${name}\` | ${shown} | ${`${description}${choices}${rangeOf(schema)}`.replaceAll('|', '\\|')} |`;
}

function rangeOf({ minimum, maximum }: Leaf['schema']): string {
  if (typeof minimum !== 'number' || typeof maximum !== 'number') return '';
  return minimum === maximum ? ` Only ${minimum}.` : ` ${minimum} to ${maximum}.`;
}
