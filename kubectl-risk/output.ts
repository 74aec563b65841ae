/** What a command prints: a table for people, objects for programs. */
import { Option } from 'commander';
import { stringify } from 'yaml';
import type { Host } from '@picket/runtime/host.ts';
import { renderTable } from './table.ts';

const formats = ['json', 'yaml', 'name', 'wide'] as const;
export type OutputFormat = (typeof formats)[number];

export interface NamedObject {
  kind: string;
  metadata: { name: string; namespace?: string };
}

/** A column of a table over objects. */
export interface Column<O> {
  head: string;
  cell(object: O): string;
  /** Only with `-o wide`. */
  wide?: true;
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'objects for programs, or a wider table').choices(formats);
}

/** Prints `objects` in a machine's format, or else the text that `forPeople` makes. */
export async function printObjects(
  host: Pick<Host, 'out'>,
  format: OutputFormat | undefined,
  objects: readonly NamedObject[],
  forPeople: () => string,
): Promise<void> {
  switch (format) {
    case 'json':
      return host.out(`${JSON.stringify(asOne(objects), null, 2)}\n`);
    case 'yaml':
      return host.out(stringify(asOne(objects), { version: '1.1' }));
    case 'name':
      return host.out(objects.map((o) => `${o.kind.toLowerCase()}.picket.dev/${o.metadata.name}\n`).join(''));
    default:
      return host.out(forPeople());
  }
}

/** The namespace comes first where names alone say too little. */
export function objectTable<O extends NamedObject>(
  columns: readonly Column<O>[],
  objects: readonly O[],
  options: { wide: boolean; allNamespaces: boolean },
): string {
  const namespaces = new Set(objects.map((o) => o.metadata.namespace));
  const shown: Column<O>[] = [
    ...(options.allNamespaces || namespaces.size > 1
      ? [{ head: 'NAMESPACE', cell: (o: O) => o.metadata.namespace ?? '-' }]
      : []),
    ...columns.filter((column) => options.wide || !column.wide),
  ];
  return renderTable(
    shown.map((column) => column.head),
    objects.map((object) => shown.map((column) => column.cell(object))),
  );
}

function asOne(objects: readonly NamedObject[]): unknown {
  return objects.length === 1 ? objects[0] : { apiVersion: 'v1', kind: 'List', items: objects };
}
