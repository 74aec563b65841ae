/** JSON Schema and reference page of the events on the bus. */
import { openApiSchema } from '../schema/document.ts';
import type { Json, Schema } from '../schema/schema.ts';
import { fieldTable } from './reference.ts';

/** One schema for every event: an envelope of CloudEvents 1.0 whose `type` says what `data` is. */
export function renderEventSchema(events: Readonly<Record<string, Schema>>): string {
  const names = Object.keys(events);
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://picket.dev/schemas/events.v1.json',
    title: 'Events of Picket',
    description: 'CloudEvents 1.0 in JSON, on NATS under picket.v1.<event>.<namespace>.<api>.<about>.',
    oneOf: names.map((name) => ({ $ref: `#/$defs/${name}` })),
    $defs: Object.fromEntries(names.map((name) => [name, envelope(name, events[name] as Schema)])),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function envelope(name: string, data: Schema): { [key: string]: Json } {
  const text = (description: string, more: { [key: string]: Json } = {}): Json => ({
    type: 'string',
    description,
    ...more,
  });
  return {
    type: 'object',
    description: data.description,
    required: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'data'],
    properties: {
      specversion: { const: '1.0' },
      id: text('Same for a repeat of the same event.'),
      source: text('picket/<namespace>/<api>', { pattern: '^picket/' }),
      type: { const: `dev.picket.${name}.v1` },
      subject: text('Name of the verdict or of the API.'),
      time: text('When it was published.', { format: 'date-time' }),
      datacontenttype: { const: 'application/json' },
      data: withoutExtensions(openApiSchema(data)),
    },
  };
}

/** What only the API server understands. */
function withoutExtensions(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutExtensions);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !key.startsWith('x-kubernetes-'))
      .map(([key, inner]) => [key, withoutExtensions(inner)]),
  );
}

export function renderEventReference(events: Readonly<Record<string, Schema>>): string {
  return [
    '<!-- Generated from crds/kinds by `npm run generate -w crds`. Do not edit. -->',
    '# Events',
    '',
    'CloudEvents 1.0 in JSON on NATS, in the JetStream stream `picket_events` (7 days, 1 GiB). [JSON Schema](events.schema.json).',
    'A repeat carries the same `id`. No event holds an identity: principals are pseudonyms. Fields may be added within `v1`.',
    '',
    '| event | subject | type |',
    '|---|---|---|',
    ...Object.keys(events).map(
      (name) =>
        `| ${name} | \`picket.v1.${name}.<namespace>.<api>.<${name === 'policy' ? 'api' : 'verdict'}>\` | \`dev.picket.${name}.v1\` |`,
    ),
    '',
    'A token of a subject is the name itself where it is letters, digits, `-` and `_`; other bytes stand as `=XX`.',
    '[An example](../../examples/siem/README.md) reads them into a SIEM.',
    '',
    ...Object.entries(events).flatMap(([name, data]) => [
      `## ${name}`,
      '',
      data.description,
      '',
      ...fieldTable('data', data),
    ]),
  ].join('\n');
}
