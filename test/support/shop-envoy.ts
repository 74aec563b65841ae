/** An Envoy before the sample shop, wired by hand: feeds without Picket's own rendering, for tests of what lies before it. */
import { issuer } from '../../examples/shop/tokens.ts';

export const loggedHeaders = ['accept', 'accept-language', 'authorization', 'cookie', 'sec-ch-ua', 'content-type'];

const filters = 'type.googleapis.com/envoy.extensions.filters.http';

/**
 * Bootstrap with a listener `traffic` on a free port: verifies the shop's tokens, puts the fields of its flows into
 * metadata, and logs to the collector at `alsPort`.
 */
export function shopBootstrap(shopPort: number, alsPort: number, jwks: string): object {
  const rule = (key: string) => ({ metadata_namespace: 'dev.picket.flow', key });
  const router = { name: 'router', typed_config: { '@type': `${filters}.router.v3.Router` } };
  const jwt = {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': `${filters}.jwt_authn.v3.JwtAuthentication`,
      providers: {
        shop: { issuer, forward: true, payload_in_metadata: 'payload', local_jwks: { inline_string: jwks } },
      },
      rules: [
        {
          match: { prefix: '/' },
          requires: { requires_any: { requirements: [{ provider_name: 'shop' }, { allow_missing: {} }] } },
        },
      ],
    },
  };
  const json = (fields: { key: string; field: string }[]) => ({
    rules: fields.map(({ key, field }) => ({ selectors: [{ key: field }], on_present: rule(key) })),
  });
  const toMetadata = {
    '@type': `${filters}.json_to_metadata.v3.JsonToMetadata`,
    request_rules: json([{ key: 'login:request.username', field: 'username' }]),
    response_rules: json([{ key: 'login:response.ok', field: 'ok' }]),
  };
  const transfer = {
    '@type': `${filters}.json_to_metadata.v3.JsonToMetadata`,
    request_rules: json([
      { key: 'transfer:request.amountCents', field: 'amountCents' },
      { key: 'transfer:request.to', field: 'to' },
    ]),
  };
  const route = { cluster: 'shop' };
  const perRoute = (config: object) => ({ 'envoy.filters.http.json_to_metadata': config });
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'shop',
    use_remote_address: true,
    http_filters: [
      jwt,
      {
        name: 'envoy.filters.http.json_to_metadata',
        typed_config: { '@type': `${filters}.json_to_metadata.v3.JsonToMetadata` },
        disabled: true,
      },
      router,
    ],
    access_log: [accessLog()],
    route_config: {
      virtual_hosts: [
        {
          name: 'shop',
          domains: ['*'],
          routes: [
            { match: { path: '/v1/login' }, route, typed_per_filter_config: perRoute(toMetadata) },
            { match: { path: '/v1/transfers' }, route, typed_per_filter_config: perRoute(transfer) },
            { match: { prefix: '/' }, route },
          ],
        },
      ],
    },
  };
  return {
    static_resources: {
      listeners: [
        {
          name: 'traffic',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [cluster('shop', shopPort, false), cluster('als', alsPort, true)],
    },
  };
}

function accessLog(): object {
  return {
    name: 'als',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
      common_config: {
        log_name: 'picket',
        transport_api_version: 'V3',
        buffer_flush_interval: '0.1s',
        grpc_service: { envoy_grpc: { cluster_name: 'als' } },
      },
      additional_request_headers_to_log: loggedHeaders,
    },
  };
}

function cluster(name: string, port: number, http2: boolean): object {
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const protocol = { '@type': `type.googleapis.com/${options}`, explicit_http_config: { http2_protocol_options: {} } };
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: port } } };
  return {
    name,
    type: 'STATIC',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    ...(http2 ? { typed_extension_protocol_options: { [options]: protocol } } : {}),
  };
}
