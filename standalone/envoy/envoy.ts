/** `picket envoy`: configuration for an Envoy that Picket should watch and steer. */
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { shapeHeaders } from '@picket/analyzer/observation.ts';
import { type BootstrapOptions, renderBootstrap } from '@picket/operator/envoy/render/bootstrap.ts';
import { ingressStatPrefix } from '@picket/operator/envoy/render/listener.ts';
import { renderSnippet } from '@picket/operator/envoy/render/snippet.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Host } from '@picket/runtime/host.ts';
import { compileManifests } from '../up/compile-manifests.ts';
import { endpointOf } from '../up/endpoint.ts';

interface EnvoyOptions {
  manifests: string;
  output: 'json' | 'yaml';
  node: string;
  fleet: string;
  listen: string;
  upstream: string;
  als: string;
  xds: string;
  envoyAdmin: string;
  trustedHops: number;
  jwtIssuer?: string;
  jwtJwks?: string;
}

const maxFlowBodyBytes = 64 * 1024;

export function envoyCommand(host: Host): Command {
  const envoy = new Command('envoy').description(
    'Print Envoy configuration that feeds Picket and takes its decisions.',
  );
  const sub = (name: string, description: string): Command =>
    envoy
      .command(name)
      .description(description)
      .requiredOption('--manifests <dir>', 'the folder of manifests that "picket up" serves')
      .addOption(new Option('-o, --output <format>').choices(['yaml', 'json']).default('yaml'))
      .option('--node <id>', 'node id of this Envoy', 'envoy-1')
      .option('--fleet <name>', 'the Envoys that are configured together', 'standalone')
      .option('--als <host:port>', 'where "picket up" takes access logs', '127.0.0.1:18090')
      .option('--xds <host:port>', 'where "picket up" serves filters', '127.0.0.1:18091')
      .addOption(
        new Option('--trusted-hops <n>', 'proxies in front that append to x-forwarded-for')
          .default(0)
          .argParser(Number),
      );

  sub('bootstrap', 'A complete bootstrap for one Envoy in front of one upstream')
    .requiredOption('--upstream <host:port>', 'where Envoy sends traffic')
    .option('--listen <host:port>', 'where Envoy takes traffic', '127.0.0.1:10000')
    .option('--envoy-admin <host:port>', 'admin interface of Envoy', '127.0.0.1:9901')
    .option('--jwt-issuer <issuer>', 'verify bearer tokens of this issuer')
    .option('--jwt-jwks <file>', 'the key set to verify with')
    .action(async (options: EnvoyOptions) => {
      const bootstrap: BootstrapOptions = {
        node: options.node,
        fleet: options.fleet,
        admin: endpointOf(options.envoyAdmin),
        upstream: endpointOf(options.upstream),
        xds: endpointOf(options.xds),
        als: endpointOf(options.als),
        listener: {
          address: endpointOf(options.listen),
          logName: ingressStatPrefix,
          trustedHops: options.trustedHops,
          shapeHeaders,
          maxFlowBodyBytes,
          ...(options.jwtIssuer && options.jwtJwks
            ? { jwt: { issuer: options.jwtIssuer, jwksFile: options.jwtJwks } }
            : {}),
        },
      };
      const config = renderBootstrap(await compile(options, host), bootstrap);
      await host.out(options.output === 'json' ? `${JSON.stringify(config, null, 2)}\n` : stringify(config));
    });

  sub('snippet', 'The parts to paste into a bootstrap of your own').action(async (options: EnvoyOptions) => {
    const policies = await compile(options, host);
    await host.out(
      renderSnippet(policies, {
        xds: endpointOf(options.xds),
        als: endpointOf(options.als),
        fleet: options.fleet,
        shapeHeaders,
        ja4: false,
      }),
    );
  });
  return envoy;
}

/** Policies of the folder; problems go to standard error. */
async function compile(options: EnvoyOptions, host: Host): Promise<CompiledPolicy[]> {
  const { policies, problems, broken } = await compileManifests(options.manifests, options.fleet);
  for (const problem of problems) host.err(`${problem}\n`);
  if (broken) throw new PicketError('InvalidObject', 'the manifests have errors; nothing was printed');
  return policies;
}
