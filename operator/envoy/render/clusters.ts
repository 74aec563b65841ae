import type { Json } from './matcher.ts';

export interface Endpoint {
  host: string;
  port: number;
}

/** Files of a mutual TLS client. Envoy reads them at its start: certificates that rotate need a secret of your own (SDS). */
export interface ClientTls {
  caFile: string;
  certificateFile: string;
  keyFile: string;
  /** DNS name in the server's certificate; the host of the endpoint unless given. */
  serverName?: string;
}

/** A cluster that speaks gRPC to Picket. */
export function renderPicketCluster(name: string, endpoint: Endpoint, tls?: ClientTls): Json {
  return {
    ...baseCluster(name, endpoint),
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        // Pings find a peer that vanished without closing, so that streams come back in seconds.
        explicitHttpConfig: { http2ProtocolOptions: { connectionKeepalive: { interval: '10s', timeout: '5s' } } },
      },
    },
    ...(tls ? { transportSocket: clientTls(tls, tls.serverName ?? endpoint.host) } : {}),
  };
}

/** The application behind this Envoy. */
export function renderUpstreamCluster(name: string, endpoint: Endpoint): Json {
  return baseCluster(name, endpoint);
}

function baseCluster(name: string, endpoint: Endpoint): Json {
  const numeric = /^[\d.]+$/.test(endpoint.host) || endpoint.host.includes(':');
  return {
    name,
    type: numeric ? 'STATIC' : 'STRICT_DNS',
    connectTimeout: '1s',
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: socketAddress(endpoint) } }] }],
    },
  };
}

export function socketAddress(endpoint: Endpoint): Json {
  return { socketAddress: { address: endpoint.host, portValue: endpoint.port } };
}

function clientTls(tls: ClientTls, serverName: string): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      sni: serverName,
      commonTlsContext: {
        // Node closes TLS connections that did not negotiate HTTP/2.
        alpnProtocols: ['h2'],
        // As a client Envoy stops at 1.2 unless told.
        tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3', tlsMaximumProtocolVersion: 'TLSv1_3' },
        tlsCertificates: [
          { certificateChain: { filename: tls.certificateFile }, privateKey: { filename: tls.keyFile } },
        ],
        validationContext: {
          trustedCa: { filename: tls.caFile },
          matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: serverName } }],
        },
      },
    },
  };
}
