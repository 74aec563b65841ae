import type { ApplyObject } from '@picket/runtime/objects/object-store.ts';
import { renderAccessLog } from '../render/access-log.ts';
import { type ClientTls, type Endpoint, renderPicketCluster } from '../render/clusters.ts';
import type { Json } from '../render/matcher.ts';
import { alsCluster, xdsCluster } from '../render/names.ts';
import { snakeCase } from '../render/yaml.ts';

/** Where the Envoys of others find Picket. */
export interface PicketAddresses {
  /** Where the operator serves filters. */
  xds: Endpoint;
  /** Where the analyzer takes access logs. */
  als: Endpoint;
  /** Service that takes bodies (ext_proc); left out, none are sent. */
  bodies?: { namespace: string; name: string; port: number } | undefined;
  /** Secret with `tls.crt`, `tls.key` and `ca.crt`, beside the Envoys; left out, connections go in the clear. */
  tlsSecret?: string;
}

/** What the policies in force want to be told of each request. */
export interface Report {
  /** What entries of the access log carry. */
  headers: { request: string[]; response: string[] };
  /** Reads the bodies of declared flows; undefined = none declares a field. */
  flowFilter: Json | undefined;
  /** Whether listeners that terminate TLS compute and log JA4 fingerprints. */
  ja4: boolean;
}

/** What a sensor makes of Envoys that somebody else configures. */
export interface Wiring extends PicketAddresses {
  /** The owner of all objects, in whose namespace they lie. */
  sensor: { namespace: string; name: string; uid: string };
  fleet: string;
  /** undefined = Envoys send no access log. */
  report: Report | undefined;
}

/** Label of every object that a sensor made, with the name of the sensor. */
export const sensorLabel = 'picket.dev/sensor';

/** Where Envoys have the files of their certificate; the guides mount the Secret there. */
export const tlsFolder = '/etc/picket/tls';

/** An object of a provider, that goes when its sensor goes. */
export function ownedObject(
  { sensor }: Wiring,
  apiVersion: string,
  kind: string,
  name: string,
  spec: Json,
): ApplyObject {
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: sensor.namespace,
      labels: { [sensorLabel]: sensor.name, 'app.kubernetes.io/managed-by': 'picket-operator' },
      ownerReferences: [
        {
          apiVersion: 'picket.dev/v1alpha1',
          kind: 'TrafficSensor',
          name: sensor.name,
          uid: sensor.uid,
          controller: true,
        },
      ],
    },
    spec,
  };
}

/**
 * The clusters that reach Picket. One that an Envoy refuses, because it lacks the files of the certificate, takes
 * nothing else with it: filters and access logs may name a cluster that is not there.
 */
export function wiringClusters({ xds, als, tlsSecret }: Wiring): Json[] {
  const tls = (endpoint: Endpoint): ClientTls | undefined =>
    tlsSecret === undefined
      ? undefined
      : {
          caFile: `${tlsFolder}/ca.crt`,
          certificateFile: `${tlsFolder}/tls.crt`,
          keyFile: `${tlsFolder}/tls.key`,
          serverName: endpoint.host,
        };
  return [
    asMerged(renderPicketCluster(xdsCluster, xds, tls(xds))),
    asMerged(renderPicketCluster(alsCluster, als, tls(als))),
  ];
}

/**
 * Access logs for a connection manager: ours, or none where the sensor asks for none.
 *
 * @param logName statistics prefix of the manager where that is known, which completeness is counted against
 */
export function wiringAccessLogs({ report }: Wiring, logName: string): Json[] {
  return report ? [asMerged(renderAccessLog({ logName, headers: report.headers, ja4: report.ja4 }))] : [];
}

/** Providers merge what we give into what they made, field by field: both must call them the same. */
export function asMerged(part: Json): Json {
  return snakeCase(part) as Json;
}
