/** `values.yaml`: every value with its default, its meaning as a comment. */
import { stringify } from 'yaml';
import { type Group, isGroup, type Json } from '../value.ts';

export function renderValuesYaml(values: Group): string {
  return [
    '# Generated from charts/values.ts by `npm run generate -w charts`. Do not edit: override values in a file of your own.',
    ...lines(values, ''),
    '',
  ].join('\n');
}

function lines(values: Group, indent: string): string[] {
  return Object.entries(values.values).flatMap(([name, value]) => {
    const comment = `${indent}# ${value.description}`;
    if (isGroup(value)) return [comment, `${indent}${name}:`, ...lines(value, `${indent}  `)];
    const choices = value.options ? ` One of ${value.options.join(', ')}.` : '';
    return [`${comment}${choices}`, ...leaf(name, value.default).map((line) => `${indent}${line}`)];
  });
}

function leaf(name: string, value: Json): string[] {
  return stringify({ [name]: value }, { lineWidth: 0, version: '1.1' })
    .trimEnd()
    .split('\n');
}
