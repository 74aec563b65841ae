/** The flags of `picket envoy`, checked together so that all problems are told at once. */
import { Command, Option } from 'commander';
import { PicketError } from '@picket/runtime/errors.ts';
import { parseListenAddress } from '@picket/runtime/grpc/listen-address.ts';
import { endpointOf } from '../up/endpoint.ts';

export interface SnippetFlags {
  manifests: string;
  node: string;
  fleet: string;
  als: string;
  xds: string;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  tlsName?: string;
  statPrefix: string;
  ja4?: true;
}

export interface BootstrapFlags extends Omit<SnippetFlags, 'statPrefix' | 'ja4'> {
  output: 'json' | 'yaml';
  upstream: string;
  listen: string;
  listenCert?: string;
  listenKey?: string;
  listenClientCa?: string;
  envoyAdmin: string;
  trustedHops: number;
  jwtIssuer?: string;
  jwtJwks?: string;
}

const bootstrapExamples = `
Examples:
  picket envoy bootstrap --manifests manifests --upstream 127.0.0.1:8080 > envoy.yaml && envoy -c envoy.yaml
      an Envoy on this host, beside "picket up --manifests manifests --data data"
  picket envoy bootstrap --manifests manifests --upstream app:8080 --listen 0.0.0.0:443 \\
      --listen-cert site.crt --listen-key site.key --als picket.internal:18090 --xds picket.internal:18091 \\
      --tls-cert envoy.crt --tls-key envoy.key --tls-ca ca.crt
      TLS for callers (and their JA4 fingerprint: give "picket up" --ja4), mutual TLS to Picket elsewhere
`;

const snippetExamples = `
Examples:
  picket envoy snippet --manifests manifests
  picket envoy snippet --manifests manifests --stat-prefix edge --ja4
      the manager's stat_prefix is "edge", and the listener terminates TLS
`;

export function defineBootstrap(act: (flags: BootstrapFlags) => Promise<void>): Command {
  return shared(new Command('bootstrap').description('A complete bootstrap for one Envoy in front of one upstream'))
    .addOption(new Option('-o, --output <format>', 'form of the output').choices(['yaml', 'json']).default('yaml'))
    .requiredOption('--upstream <host:port>', 'where Envoy sends traffic')
    .option('--listen <host:port>', 'where Envoy takes traffic', '127.0.0.1:10000')
    .option('--listen-cert <file>', 'terminate TLS at --listen with this certificate; JA4 is computed and logged')
    .option('--listen-key <file>', 'its key')
    .option('--listen-client-ca <file>', 'with --listen-cert: callers must present a certificate of this authority')
    .option('--envoy-admin <host:port>', 'admin interface of Envoy', '127.0.0.1:9901')
    .addOption(
      new Option('--trusted-hops <n>', 'proxies in front that append to x-forwarded-for').default(0).argParser(Number),
    )
    .option('--jwt-issuer <issuer>', 'verify bearer tokens of this issuer')
    .option('--jwt-jwks <file>', 'the key set to verify with')
    .addHelpText('after', bootstrapExamples)
    .action(async (flags: BootstrapFlags) => {
      refuse([
        ...problemsOfShared(flags),
        ...problemsOfEndpoint('--upstream', flags.upstream),
        ...problemsOfEndpoint('--listen', flags.listen),
        ...problemsOfEndpoint('--envoy-admin', flags.envoyAdmin),
        ...togetherOrNot('--listen-cert', flags.listenCert, '--listen-key', flags.listenKey),
        ...(flags.listenClientCa && !flags.listenCert
          ? ['--listen-client-ca: without --listen-cert there is no TLS in which to present a certificate']
          : []),
        ...togetherOrNot('--jwt-issuer', flags.jwtIssuer, '--jwt-jwks', flags.jwtJwks),
        ...(Number.isInteger(flags.trustedHops) && flags.trustedHops >= 0 && flags.trustedHops <= 16
          ? []
          : ['--trusted-hops: give a whole number from 0 to 16']),
      ]);
      await act(flags);
    });
}

export function defineSnippet(act: (flags: SnippetFlags) => Promise<void>): Command {
  return shared(new Command('snippet').description('The parts to paste into a bootstrap of your own'))
    .option('--stat-prefix <name>', 'stat_prefix of your connection manager, for completeness', 'ingress_http')
    .option('--ja4', 'your listener terminates TLS: compute and log JA4 (Envoy 1.37 and later)')
    .addHelpText('after', snippetExamples)
    .action(async (flags: SnippetFlags) => {
      refuse(problemsOfShared(flags));
      await act(flags);
    });
}

function shared(command: Command): Command {
  return command
    .requiredOption('--manifests <dir>', 'the folder of manifests that "picket up" serves')
    .option('--node <id>', 'node id of this Envoy: differs from process to process', 'envoy-1')
    .option('--fleet <name>', 'the Envoys that are configured together', 'standalone')
    .option('--als <host:port>', 'where "picket up" takes access logs', '127.0.0.1:18090')
    .option('--xds <host:port>', 'where "picket up" serves filters', '127.0.0.1:18091')
    .option('--tls-cert <file>', 'mutual TLS to Picket: the certificate of this Envoy, with the name of its fleet')
    .option('--tls-key <file>', 'its key')
    .option('--tls-ca <file>', "CA of Picket's certificate")
    .option('--tls-name <dns>', "DNS name in Picket's certificate; default: the hosts of --als and --xds");
}

function problemsOfShared(flags: Omit<SnippetFlags, 'statPrefix' | 'ja4'>): string[] {
  const { tlsCert, tlsKey, tlsCa, tlsName } = flags;
  const problems = [...problemsOfEndpoint('--als', flags.als), ...problemsOfEndpoint('--xds', flags.xds)];
  const secured = tlsCert && tlsKey && tlsCa;
  if (!secured && (tlsCert || tlsKey || tlsCa || tlsName))
    problems.push('--tls-cert, --tls-key and --tls-ca go together: some without the others secure nothing');
  if (secured && !tlsName && isAddress(endpointOf(flags.xds).host))
    problems.push("--tls-name: --xds is an address; give the DNS name in Picket's certificate");
  return problems;
}

function problemsOfEndpoint(flag: string, text: string): string[] {
  try {
    parseListenAddress(text, flag);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

function togetherOrNot(a: string, one: string | undefined, b: string, other: string | undefined): string[] {
  return Boolean(one) === Boolean(other) ? [] : [`${a} and ${b} go together`];
}

export function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}

/** @throws PicketError InvalidConfig with every problem, one a line */
function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new PicketError('InvalidConfig', problems.join('\n'));
}
