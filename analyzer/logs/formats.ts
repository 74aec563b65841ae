/** All readers by name, and the one that tells lines apart by itself. */
import type { ReadOutcome, UnitReader } from './log-format.ts';
import { createAwsAlbReader } from './formats/aws-alb.ts';
import { createCombinedReader } from './formats/combined.ts';
import { createEnvoyTextReader } from './formats/envoy-text.ts';
import { createHaproxyReader } from './formats/haproxy.ts';
import { createJsonLineReader } from './formats/json-line.ts';
import { createAppServerReader, createProxyManagerReader } from './formats/proxy-manager.ts';
import { createW3cReader } from './formats/w3c.ts';

export const lineFormats = [
  'combined',
  'envoy-text',
  'haproxy',
  'aws-alb',
  'nginx-proxy-manager',
  'app-server',
  'w3c',
  'json',
] as const;
export type LineFormat = (typeof lineFormats)[number];

/** Other names people know formats by. */
export const formatAliases: Readonly<Record<string, LineFormat | 'har' | 'als-binary'>> = {
  common: 'combined',
  clf: 'combined',
  apache: 'combined',
  nginx: 'combined',
  'traefik-clf': 'combined',
  envoy: 'envoy-text',
  istio: 'envoy-text',
  alb: 'aws-alb',
  elb: 'aws-alb',
  iis: 'w3c',
  cloudfront: 'w3c',
  'nginx-json': 'json',
  'envoy-json': 'json',
  'istio-json': 'json',
  'traefik-json': 'json',
  'caddy-json': 'json',
  traefik: 'json',
  caddy: 'json',
  otlp: 'json',
  als: 'json',
  har: 'har',
  'als-binary': 'als-binary',
};

export function createLineReader(format: LineFormat): UnitReader {
  switch (format) {
    case 'combined':
      return createCombinedReader();
    case 'envoy-text':
      return createEnvoyTextReader();
    case 'haproxy':
      return createHaproxyReader();
    case 'aws-alb':
      return createAwsAlbReader();
    case 'nginx-proxy-manager':
      return createProxyManagerReader();
    case 'app-server':
      return createAppServerReader();
    case 'w3c':
      return createW3cReader();
    case 'json':
      return createJsonLineReader(createTextReader());
  }
}

/** Tries the formats of `names` in order, the one that read the last line first. */
function createFirstOf(names: readonly LineFormat[], make: (name: LineFormat) => UnitReader): UnitReader {
  const readers = names.map((name) => make(name));
  return {
    read(line, sink) {
      let reason: ReadOutcome = 'unrecognised';
      for (let i = 0; i < readers.length; i++) {
        const reader = readers[i];
        const outcome = reader?.read(line, sink) ?? 'unrecognised';
        if (outcome === 'pass' || outcome === 'skip') {
          if (i > 0 && reader !== undefined) {
            readers.splice(i, 1);
            readers.unshift(reader);
          }
          return outcome;
        }
        if (reason === 'unrecognised') reason = outcome;
      }
      return reason;
    },
  };
}

const textFormats = lineFormats.filter((name) => name !== 'json');

function createTextReader(): UnitReader {
  return createFirstOf(textFormats, createLineReader);
}

/** Tells every line's format by itself, so that mixed files read whole; `first` is tried first. */
export function createAutoReader(first: LineFormat = 'combined'): UnitReader {
  const text = createFirstOf([first, ...lineFormats.filter((name) => name !== first)], createLineReader);
  const json = createLineReader('json');
  return {
    read: (line, sink) => (line.charCodeAt(0) === 123 ? json : text).read(line, sink),
  };
}
