import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Json } from './matcher.ts';
import { alsCluster, ja4State } from './names.ts';

/** Headers of responses that tell outcomes apart when a flow declares none. */
const outcomeHeaders = ['content-type', 'location', 'set-cookie'];

/**
 * Of the connection manager: a request that takes longer reports on itself this often, a tunnel when it opens. An entry
 * when any request begins (`flushAccessLogOnNewRequest`) would double the entries of all, so it is left off.
 */
export const accessLogOptions: Json = {
  accessLogFlushInterval: '10s',
  flushLogOnTunnelSuccessfullyEstablished: true,
};

/** Request and response headers that the analyzer needs to see for these policies. */
export function loggedHeaders(
  policies: readonly CompiledPolicy[],
  shapeHeaders: readonly string[],
): { request: string[]; response: string[] } {
  // Envoy logs unknown methods as unspecified, so the method comes as a header too.
  const request = new Set([':method', ...shapeHeaders]);
  const response = new Set(outcomeHeaders);
  for (const policy of policies) {
    for (const { from } of policy.principals) {
      if (from.case === 'header') request.add(from.value.toLowerCase());
      else if (from.case === 'cookie') request.add('cookie');
      else if (from.case === 'jwtClaim') request.add(from.value.header.toLowerCase());
    }
    for (const flow of policy.flows) {
      for (const source of [flow.account, flow.amount, flow.counterparty]) {
        if (source?.from.case === 'header') request.add(source.from.value.toLowerCase());
      }
      for (const { test } of flow.success.flatMap((clause) => clause.all)) {
        if (test.case === 'responseHeader') response.add(test.value.toLowerCase());
      }
    }
  }
  return { request: [...request], response: [...response] };
}

/** Envoy's gRPC access log to the analyzer. */
export function renderAccessLog(options: {
  logName: string;
  headers: { request: string[]; response: string[] };
  ja4: boolean;
}): Json {
  return {
    name: 'envoy.access_loggers.http_grpc',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
      commonConfig: {
        logName: options.logName,
        transportApiVersion: 'V3',
        grpcService: { envoyGrpc: { clusterName: alsCluster } },
        // 0 would turn off batching and with it the bound on memory.
        bufferFlushInterval: '0.200s',
        bufferSizeBytes: 524_288,
        ...(options.ja4 ? { customTags: [{ tag: ja4State, value: '%TLS_JA4_FINGERPRINT%' }] } : {}),
      },
      additionalRequestHeadersToLog: options.headers.request,
      additionalResponseHeadersToLog: options.headers.response,
    },
  };
}

/** Envoy's statistics to the analyzer, which counts what arrived against what was completed. */
export function renderStatsSink(): Json {
  return {
    name: 'envoy.stat_sinks.metrics_service',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.config.metrics.v3.MetricsServiceConfig',
      transportApiVersion: 'V3',
      grpcService: { envoyGrpc: { clusterName: alsCluster } },
      // Of histograms nothing is read.
      histogramEmitMode: 'SUMMARY',
    },
  };
}
