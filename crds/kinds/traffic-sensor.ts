import { boolean, enumeration, integer, map, number, object, type Schema, set, string } from '../schema/schema.ts';
import { ageColumn, conditionColumn, type Kind } from '../schema/kind.ts';
import { conditions, observedGeneration } from './conditions.ts';
import { dnsLabel, hostName, percent, ratio, text } from './values.ts';

const matchLabels = (description: string): Schema =>
  map(description, string('Value of the label.', { maxLength: 63 }), { maxProperties: 16 });

const maxBodyBytes = integer('Bytes of a body that are looked at.', {
  minimum: 0,
  maximum: 1_048_576,
  default: 65_536,
});

const spec = object(
  'TrafficSensorSpec',
  'Which Envoys and which nodes feed Picket, and how much of it.',
  {
    optional: {
      namespaces: set(
        'Namespaces whose APIs may use this sensor. "*" grants all. Left out, only its own.',
        string('Name of a namespace, or "*".', {
          pattern: String.raw`^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$`,
          minLength: 1,
          maxLength: 63,
        }),
        { minItems: 1, maxItems: 256 },
      ),
      hostnames: set('Hosts that APIs may claim on this sensor. Left out, any.', hostName('A host.'), {
        minItems: 1,
        maxItems: 256,
      }),
      envoy: object(
        'SensorEnvoy',
        'Envoys that are configured together: a fleet.',
        {
          optional: {
            provider: enumeration('EnvoyProvider', 'Who configures them.', ['XDS', 'Istio', 'EnvoyGateway'], 'XDS'),
            gateways: set(
              'Gateways of this namespace whose Envoys these are: for EnvoyGateway, and for Istio instead of a selector.',
              dnsLabel('Name of a Gateway.'),
              { minItems: 1, maxItems: 16 },
            ),
            selector: object('EnvoySelector', 'Pods of the fleet.', {
              required: { matchLabels: matchLabels('Labels that a pod must carry.') },
            }),
            feeds: object('EnvoyFeeds', 'What they send.', {
              optional: {
                accessLog: boolean('Send access log entries.', { default: true }),
                bodyMirror: object('BodyMirror', 'Send bodies by ext_proc in observability mode.', {
                  optional: {
                    maxBodyBytes,
                    contentTypes: set('Content types whose bodies are sent.', text('A content type.', 128), {
                      maxItems: 16,
                      default: ['application/json'],
                    }),
                    sample: percent('Share of requests.', '100%'),
                  },
                }),
              },
            }),
          },
        },
        {
          rules: [
            {
              rule: "self.provider != 'EnvoyGateway' || has(self.gateways)",
              message: 'EnvoyGateway needs gateways: the Gateways of this namespace whose Envoys these are',
            },
            {
              rule: "self.provider != 'Istio' || has(self.gateways) != has(self.selector)",
              message:
                'Istio needs gateways or selector, one of them: without, every Envoy of the namespace would be changed',
            },
          ],
        },
      ),
      nodes: object('SensorNodes', 'Nodes whose kernel is watched.', {
        optional: {
          namespaces: set('Namespaces whose pods are watched.', dnsLabel('Name of a namespace.'), { maxItems: 256 }),
          ports: set('Ports that carry HTTP.', integer('A port.', { minimum: 1, maximum: 65_535 }), { maxItems: 64 }),
          tls: enumeration('SensorTls', 'Whether traffic is read before encryption.', ['Off', 'OpenSSL'], 'Off'),
          maxBodyBytes: { ...maxBodyBytes, default: 0 },
        },
      }),
    },
  },
  {
    rules: [{ rule: 'has(self.envoy) || has(self.nodes)', message: 'a sensor needs envoy, nodes or both' }],
  },
);

const status = object('TrafficSensorStatus', 'What arrives.', {
  optional: {
    observedGeneration: observedGeneration(),
    conditions: conditions('Accepted, Programmed, Observing, Ready'),
    streams: integer('Open feed streams.', { minimum: 0 }),
    entriesPerSecond: number('Entries that arrive.', { minimum: 0 }),
    completeness: ratio('Seen requests by expected requests. Left out while unknown.'),
    nodesReady: integer('Nodes whose sensor runs.', { minimum: 0 }),
    nodesTotal: integer('Nodes that should run it.', { minimum: 0 }),
    lastLossReason: text('Stage and reason of the last loss.', 128),
  },
});

export const trafficSensor: Kind = {
  kind: 'TrafficSensor',
  plural: 'trafficsensors',
  shortName: 'tsen',
  writer: 'Person',
  description: 'Which Envoys (fleet, provider) and which nodes feed Picket, and how much of it.',
  spec,
  status,
  columns: [
    { name: 'Provider', type: 'string', jsonPath: '.spec.envoy.provider', description: 'Who configures the Envoys.' },
    { name: 'Streams', type: 'integer', jsonPath: '.status.streams', description: 'Open feed streams.' },
    { name: 'Entries/s', type: 'number', jsonPath: '.status.entriesPerSecond', description: 'Entries that arrive.' },
    { name: 'Complete', type: 'number', jsonPath: '.status.completeness', description: 'Seen by expected requests.' },
    conditionColumn('Observing', 'Observing', 'Whether records arrive.'),
    ageColumn,
  ],
  example: `metadata:
  name: edge
  namespace: shop
spec:
  namespaces: [shop]
  hostnames: ["*.example.com"]
  envoy:
    provider: XDS
    selector: { matchLabels: { app: envoy } }
    feeds: { accessLog: true }
`,
};
