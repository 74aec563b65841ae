import { enumeration, exactlyOneOf, number, object, string } from '../schema/schema.ts';
import { ageColumn, conditionColumn, type Kind } from '../schema/kind.ts';
import { conditions, observedGeneration } from './conditions.ts';
import { count, duration, durationRule, instant, keyReference, relativeFile, text } from './values.ts';

const source = object(
  'FeedSource',
  'Where the list is.',
  {
    optional: {
      configMapKeyRef: keyReference('FeedConfigMapKeyRef', 'ConfigMap'),
      secretKeyRef: keyReference('FeedSecretKeyRef', 'Secret'),
      file: relativeFile('A file that holds the list.'),
      https: object(
        'FeedHttps',
        'A list that Picket fetches.',
        {
          required: {
            url: string('Address of the list.', {
              minLength: 1,
              maxLength: 1024,
              rules: [{ rule: "self.startsWith('https://')", message: 'must start with https://' }],
            }),
          },
          optional: {
            interval: duration('Time between fetches, at least one minute.', '1h'),
            sha256: string('Digest that the content must have, in hex.', { pattern: '^[0-9a-f]{64}$', maxLength: 64 }),
          },
        },
        {
          rules: [
            durationRule(['interval'], "duration(self.interval) >= duration('1m')", 'must be at least 1m', '.interval'),
          ],
        },
      ),
    },
  },
  { rules: [exactlyOneOf('configMapKeyRef', 'secretKeyRef', 'file', 'https')] },
);

const spec = object(
  'ReputationFeedSpec',
  'A list of addresses, networks, autonomous systems, user agents or token ids with a weight.',
  {
    required: {
      source,
      format: enumeration('FeedFormat', 'Format of the list.', ['Plain', 'CSV', 'Netset', 'JSON', 'STIX', 'MMDB']),
      kind: enumeration('FeedKind', 'What the entries are.', ['Address', 'ASN', 'UserAgent', 'TokenId']),
    },
    optional: {
      weight: number('How much an entry adds to the score. Reputation alone never blocks.', {
        minimum: 0,
        maximum: 1,
        default: 0.5,
      }),
      ttl: duration('How long an entry counts after it was last loaded.', '24h'),
    },
  },
  {
    rules: [
      {
        rule: "self.format != 'Netset' || self.kind == 'Address'",
        message: 'format Netset holds addresses and networks; set kind: Address',
        fieldPath: '.kind',
      },
    ],
  },
);

const status = object('ReputationFeedStatus', 'What was loaded.', {
  optional: {
    observedGeneration: observedGeneration(),
    conditions: conditions('Accepted, Loaded, Ready'),
    entries: count('Entries in force.'),
    skipped: count('Lines that could not be read.'),
    digest: text('SHA-256 of the content in force.', 64),
    lastLoaded: instant('When it was loaded.'),
    lastError: text('Why the last load failed; empty when it did not.', 512),
  },
});

export const reputationFeed: Kind = {
  kind: 'ReputationFeed',
  plural: 'reputationfeeds',
  shortName: 'rep',
  writer: 'Person',
  description: 'Lists of addresses, networks, autonomous systems, user agents or token ids with a weight.',
  spec,
  status,
  columns: [
    { name: 'Kind', type: 'string', jsonPath: '.spec.kind', description: 'What the entries are.' },
    { name: 'Weight', type: 'number', jsonPath: '.spec.weight', description: 'What an entry adds.' },
    conditionColumn('Loaded', 'Loaded', 'Whether the list is in force.'),
    { name: 'Entries', type: 'integer', jsonPath: '.status.entries', description: 'Entries in force.' },
    { name: 'Last-Loaded', type: 'date', jsonPath: '.status.lastLoaded', description: 'Time since the last load.' },
    ageColumn,
  ],
  example: `metadata:
  name: known-proxies
  namespace: shop
spec:
  source:
    configMapKeyRef: { name: known-proxies, key: networks.netset }
  format: Netset
  kind: Address
  weight: 0.3
  ttl: 24h
`,
};
