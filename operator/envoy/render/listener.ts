import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { accessLogOptions, loggedHeaders, renderAccessLog } from './access-log.ts';
import { type Endpoint, socketAddress } from './clusters.ts';
import { renderFlowFilter } from './flow-facts.ts';
import type { Json } from './matcher.ts';
import { connectionManagerFilter, routerFilter, typeUrls } from './names.ts';
import { renderPushedFilter } from './picket-filters.ts';
import { renderRoutes } from './routes.ts';
import { renderTag } from './tag.ts';
import { renderLimiter } from './throttle.ts';

/** Tokens that Envoy checks itself, so that their claims are verified identities. */
export interface JwtProvider {
  issuer: string;
  /** Local JWKS file. */
  jwksFile: string;
  audiences?: string[];
}

export interface ListenerTls {
  certificateFile: string;
  keyFile: string;
  /** Callers must present a certificate of this authority; it is who they are. */
  clientCaFile?: string;
}

export interface ListenerOptions {
  address: Endpoint;
  /** Name under which the access log reports; the analyzer shows it as source. */
  logName: string;
  /** Proxies in front of this Envoy that append to `x-forwarded-for`. */
  trustedHops: number;
  jwt?: JwtProvider;
  tls?: ListenerTls;
  /** Names behind the bits of the header shape; absence of one of these is a fact the analyzer uses. */
  shapeHeaders: readonly string[];
  /**
   * Bodies on routes of flows with declared fields are buffered; a larger one is answered 413 there. Other routes
   * stream.
   */
  maxFlowBodyBytes: number;
  upstreamCluster: string;
  /** File that holds the route configuration and may change while Envoy runs; without it routes are inline. */
  routesFile?: string;
}

/** What printed and supervised listeners buffer at most. */
export const maxFlowBodyBytes = 64 * 1024;

/** Statistics prefix of the connection manager; completeness is counted against `http.<prefix>.downstream_rq_completed`. */
export const ingressStatPrefix = 'picket_ingress';

/** The listener: one connection manager with Picket's filters in their order on the wire. */
export function renderListener(policies: readonly CompiledPolicy[], options: ListenerOptions): Json {
  return {
    name: 'ingress',
    address: socketAddress(options.address),
    perConnectionBufferLimitBytes: options.maxFlowBodyBytes,
    ...(options.tls ? { listenerFilters: [tlsInspector] } : {}),
    filterChains: [
      {
        filters: [
          {
            name: connectionManagerFilter,
            typedConfig: renderConnectionManager(policies, options),
          },
        ],
        ...(options.tls ? { transportSocket: serverTls(options.tls) } : {}),
      },
    ],
  };
}

function renderConnectionManager(policies: readonly CompiledPolicy[], options: ListenerOptions): Json {
  const routes: Json = options.routesFile
    ? { rds: { routeConfigName: 'picket', configSource: fileSource(options.routesFile) } }
    : { routeConfig: renderRoutes(policies, options.upstreamCluster) };
  return {
    '@type': typeUrls.connectionManager,
    statPrefix: ingressStatPrefix,
    useRemoteAddress: true,
    xffNumTrustedHops: options.trustedHops,
    accessLogOptions,
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    normalizePath: true,
    mergeSlashes: true,
    accessLog: [
      renderAccessLog({
        logName: options.logName,
        headers: loggedHeaders(policies, options.shapeHeaders),
        ja4: options.tls !== undefined,
      }),
    ],
    httpFilters: renderHttpFilters(options.jwt),
    ...routes,
  };
}

/** The order on the wire: addresses before authentication, identities after it, then what acts on their classes. */
export function renderHttpFilters(jwt?: JwtProvider): Json[] {
  return [
    ...filtersBeforeAuthentication(),
    ...(jwt ? [jwtAuthn(jwt)] : []),
    ...filtersAfterAuthentication(renderFlowFilter()),
    {
      name: routerFilter,
      typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
    },
  ];
}

/** @param fleet told to the operator by Envoys whose node names no fleet, because others configure them */
export function filtersBeforeAuthentication(fleet?: string): Json[] {
  return [renderPushedFilter('picket.address.hot', fleet), renderPushedFilter('picket.address', fleet)];
}

/**
 * @param flowFilter reads the bodies of declared flows; undefined = none is read
 * @param fleet as above
 */
export function filtersAfterAuthentication(flowFilter: Json | undefined, fleet?: string): Json[] {
  return [
    ...(flowFilter ? [flowFilter] : []),
    renderPushedFilter('picket.identify', fleet),
    renderPushedFilter('picket.decide.hot', fleet),
    renderPushedFilter('picket.decide.warm', fleet),
    renderPushedFilter('picket.decide.cold', fleet),
    renderLimiter(),
    renderTag(),
  ];
}

function jwtAuthn(jwt: JwtProvider): Json {
  return {
    name: 'envoy.filters.http.jwt_authn',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
      providers: {
        tokens: {
          issuer: jwt.issuer,
          ...(jwt.audiences ? { audiences: jwt.audiences } : {}),
          localJwks: { filename: jwt.jwksFile },
          payloadInMetadata: 'payload',
          forward: true,
        },
      },
      // A request without a token is the application's to judge; one with a bad token is refused here.
      rules: [
        {
          match: { prefix: '/' },
          requires: { requiresAny: { requirements: [{ providerName: 'tokens' }, { allowMissing: {} }] } },
        },
      ],
    },
  };
}

/** Reads the client's first message for its fingerprints, on listeners that terminate TLS. */
export const tlsInspector: Json = {
  name: 'envoy.filters.listener.tls_inspector',
  typedConfig: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
    enableJa3Fingerprinting: true,
    enableJa4Fingerprinting: true,
  },
};

function serverTls(tls: ListenerTls): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      commonTlsContext: {
        alpnProtocols: ['h2', 'http/1.1'],
        tlsCertificates: [
          { certificateChain: { filename: tls.certificateFile }, privateKey: { filename: tls.keyFile } },
        ],
        ...(tls.clientCaFile ? { validationContext: { trustedCa: { filename: tls.clientCaFile } } } : {}),
      },
      ...(tls.clientCaFile ? { requireClientCertificate: true } : {}),
    },
  };
}

function fileSource(path: string): Json {
  return { resourceApiVersion: 'V3', pathConfigSource: { path } };
}
