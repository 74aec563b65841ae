/** `picket envoy`: configuration for an Envoy that Picket should watch and steer. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { shapeHeaders } from '@picket/proto/access-log.ts';
import { renderBootstrap } from '@picket/operator/envoy/render/bootstrap.ts';
import type { ClientTls } from '@picket/operator/envoy/render/clusters.ts';
import { ingressStatPrefix, maxFlowBodyBytes } from '@picket/operator/envoy/render/listener.ts';
import { renderSnippet } from '@picket/operator/envoy/render/snippet.ts';
import { toYaml } from '@picket/operator/envoy/render/yaml.ts';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';
import { compileManifests } from '../up/compile-manifests.ts';
import { endpointOf } from '../up/endpoint.ts';
import { defineBootstrap, defineSnippet, isAddress, type SnippetFlags } from './options.ts';

export function envoyCommand(host: Host): Command {
  /** Envoy may run in another folder than this command. */
  const file = (path: string): string => resolve(host.cwd, path);

  const bootstrap = defineBootstrap(async (flags) => {
    const config = renderBootstrap(await compile(flags, host), {
      node: flags.node,
      fleet: flags.fleet,
      admin: endpointOf(flags.envoyAdmin),
      upstream: endpointOf(flags.upstream),
      xds: endpointOf(flags.xds),
      als: endpointOf(flags.als),
      ...picketTls(flags, file),
      listener: {
        address: endpointOf(flags.listen),
        logName: ingressStatPrefix,
        trustedHops: flags.trustedHops,
        shapeHeaders,
        maxFlowBodyBytes,
        ...(flags.listenCert && flags.listenKey
          ? {
              tls: {
                certificateFile: file(flags.listenCert),
                keyFile: file(flags.listenKey),
                ...(flags.listenClientCa ? { clientCaFile: file(flags.listenClientCa) } : {}),
              },
            }
          : {}),
        ...(flags.jwtIssuer && flags.jwtJwks
          ? { jwt: { issuer: flags.jwtIssuer, jwksFile: file(flags.jwtJwks) } }
          : {}),
      },
    });
    await host.out(flags.output === 'json' ? `${JSON.stringify(config, null, 2)}\n` : toYaml(config));
  });

  const snippet = defineSnippet(async (flags) => {
    await host.out(
      renderSnippet(await compile(flags, host), {
        node: flags.node,
        fleet: flags.fleet,
        xds: endpointOf(flags.xds),
        als: endpointOf(flags.als),
        ...picketTls(flags, file),
        statPrefix: flags.statPrefix,
        shapeHeaders,
        ja4: flags.ja4 ?? false,
      }),
    );
  });

  return new Command('envoy')
    .description('Print Envoy configuration that feeds Picket and takes its decisions.')
    .addCommand(bootstrap)
    .addCommand(snippet);
}

function picketTls(
  flags: Pick<SnippetFlags, 'tlsCert' | 'tlsKey' | 'tlsCa' | 'tlsName' | 'als' | 'xds'>,
  file: (path: string) => string,
): { picketTls?: ClientTls } {
  const { tlsCert, tlsKey, tlsCa, tlsName } = flags;
  if (!tlsCert || !tlsKey || !tlsCa) return {};
  const [als, xds] = [endpointOf(flags.als).host, endpointOf(flags.xds).host];
  // Each is known by the name it is reached at: operator and analyzer of a cluster have certificates of their own.
  const serverName = tlsName ?? (isAddress(als) ? xds : undefined);
  return {
    picketTls: {
      certificateFile: file(tlsCert),
      keyFile: file(tlsKey),
      caFile: file(tlsCa),
      ...(serverName === undefined ? {} : { serverName }),
    },
  };
}

/** Policies of the folder; problems go to standard error. */
async function compile(flags: { manifests: string; fleet: string }, host: Host): Promise<CompiledPolicy[]> {
  const { policies, problems, broken } = await compileManifests(flags.manifests, flags.fleet);
  for (const problem of problems) host.err(`${problem}\n`);
  if (broken) throw new PicketError('InvalidObject', 'the manifests have errors; nothing was printed');
  return policies;
}
