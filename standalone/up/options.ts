/** The flags of `picket up`, checked together so that all problems are told at once. */
import { isAbsolute, relative, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { PicketError } from '@picket/runtime/errors.ts';
import { parseListenAddress } from '@picket/runtime/grpc/listen-address.ts';

export interface UpOptions {
  manifests: string;
  data: string;
  history: string[];
  alsListen: string;
  xdsListen: string;
  adminListen: string;
  fleet: string;
  workers: number;
  envoy: 'run' | 'attach';
  envoyBinary?: string;
  listen: string;
  listenCert?: string;
  listenKey?: string;
  listenClientCa?: string;
  upstream?: string;
  trustedHops: number;
  jwtIssuer?: string;
  jwtJwks?: string;
  envoyAdmin: string[];
  filterTtl: number;
  ja4?: true;
  storeUrl?: string;
  natsUrl?: string;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  logFormat: 'json' | 'text';
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

const examples = `
Examples:
  picket up --manifests manifests --data data
      serve access logs on 127.0.0.1:18090 and filters on 127.0.0.1:18091; attach your own Envoy
      with what "picket envoy snippet" prints
  picket up --manifests manifests --data data --envoy run --upstream 127.0.0.1:8080 --listen 127.0.0.1:10000
      also run an Envoy in front of an upstream
  picket up --manifests manifests --data data --history yesterday.log
      learn from an access log (any format that "picket analyze" reads) before going live

Passwords come from the environment: PICKET_STORE_USER, PICKET_STORE_PASSWORD, PICKET_NATS_USER, PICKET_NATS_PASSWORD.
SIGTERM drains. Exit codes: see "picket exit-codes".
`;

export function defineUp(act: (options: UpOptions) => Promise<void>): Command {
  return new Command('up')
    .description('Watch traffic, judge it and enforce policies: the whole of Picket for one host.')
    .requiredOption('--manifests <dir>', 'folder with ProtectedAPI, BehaviorPolicy, … in YAML; watched for changes')
    .requiredOption('--data <dir>', 'where checkpoints, keys and the embedded store live; made if absent')
    .option('--history <file...>', 'access logs to learn from before going live', [])
    .option('--als-listen <address>', 'where Envoys send access logs', '127.0.0.1:18090')
    .option('--xds-listen <address>', 'where Envoys fetch filters', '127.0.0.1:18091')
    .option('--admin-listen <address>', 'status, metrics, health', '127.0.0.1:18092')
    .option('--fleet <name>', 'the Envoys that are configured together', 'standalone')
    .addOption(new Option('--workers <n>', 'worker threads for analysis').default(0).argParser(Number))
    .addOption(
      new Option('--envoy <mode>', 'run an Envoy, or attach to yours').choices(['run', 'attach']).default('attach'),
    )
    .option('--envoy-binary <path>', 'the Envoy to run; default: .tools/bin/envoy of the checkout, else envoy in PATH')
    .option('--listen <address>', 'with --envoy run: where it takes traffic', '127.0.0.1:10000')
    .option('--listen-cert <file>', 'with --envoy run: terminate TLS at --listen with this certificate')
    .option('--listen-key <file>', 'its key')
    .option('--listen-client-ca <file>', 'with --listen-cert: callers must present a certificate of this authority')
    .option('--upstream <host:port>', 'with --envoy run: where it sends traffic')
    .addOption(
      new Option('--trusted-hops <n>', 'with --envoy run: proxies in front that append to x-forwarded-for')
        .default(0)
        .argParser(Number),
    )
    .option('--jwt-issuer <issuer>', 'with --envoy run: verify bearer tokens of this issuer')
    .option('--jwt-jwks <file>', 'with --envoy run: the key set to verify with')
    .option('--envoy-admin <url...>', 'admin interfaces of attached Envoys, for completeness', [])
    .addOption(
      new Option('--filter-ttl <seconds>', 'how long filters in Envoys outlive Picket when it is gone for good')
        .default(600)
        .argParser(Number),
    )
    .option('--ja4', 'attached listeners terminate TLS and compute JA4, so that decisions may name it')
    .option('--store-url <url>', 'a ClickHouse server instead of the embedded engine')
    .option('--nats-url <url>', 'a NATS server with JetStream instead of the in-process bus')
    .option('--tls-cert <file>', 'server certificate, needed for listeners beyond loopback')
    .option('--tls-key <file>', 'its key')
    .option('--tls-ca <file>', 'CA of the client certificates that Envoys present')
    .addOption(
      new Option('--log-format <format>', 'log lines on standard error').choices(['json', 'text']).default('text'),
    )
    .addOption(
      new Option('--log-level <level>', 'least level').choices(['debug', 'info', 'warn', 'error']).default('info'),
    )
    .addHelpText('after', examples)
    .action(async (options: UpOptions) => {
      checkUpOptions(options);
      await act(options);
    });
}

/** @throws PicketError InvalidConfig with every problem, one a line */
export function checkUpOptions(options: UpOptions): void {
  const problems: string[] = [];
  const collect = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  const secured = options.tlsCert && options.tlsKey && options.tlsCa;
  for (const [flag, value] of [
    ['--als-listen', options.alsListen],
    ['--xds-listen', options.xdsListen],
    ['--admin-listen', options.adminListen],
  ] as const)
    collect(() => {
      const { loopback } = parseListenAddress(value, flag);
      if (!loopback && !secured)
        throw new Error(
          `${flag}: ${value} is beyond loopback, which needs mutual TLS: give --tls-cert, --tls-key and --tls-ca`,
        );
    });
  collect(() => void parseListenAddress(options.listen, '--listen'));
  const dataFromManifests = relative(resolve(options.manifests), resolve(options.data));
  if (!dataFromManifests.startsWith('..') && !isAbsolute(dataFromManifests))
    problems.push('--data: lies within --manifests, where every file is read as a manifest; name a folder beside it');
  if (!secured && (options.tlsCert || options.tlsKey || options.tlsCa))
    problems.push('--tls-cert, --tls-key and --tls-ca go together: some without the others secure nothing');
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(options.fleet))
    problems.push(
      `--fleet: "${options.fleet}" is not a name of at most 63 small letters, digits and dashes that ends with none`,
    );
  if (options.envoy === 'run' && !options.upstream)
    problems.push('--envoy run: say where traffic goes with --upstream host:port');
  if (options.upstream) collect(() => void parseListenAddress(options.upstream as string, '--upstream'));
  if (Boolean(options.listenCert) !== Boolean(options.listenKey))
    problems.push('--listen-cert and --listen-key go together');
  if (options.listenClientCa && !options.listenCert)
    problems.push('--listen-client-ca: without --listen-cert there is no TLS in which to present a certificate');
  if (options.envoy === 'run')
    for (const [flag, value] of [
      ['--als-listen', options.alsListen],
      ['--xds-listen', options.xdsListen],
    ] as const)
      collect(() => {
        if (!parseListenAddress(value, flag).loopback)
          throw new Error(`${flag}: the Envoy that --envoy run starts is on this host; keep ${value} on loopback`);
      });
  if (Boolean(options.jwtIssuer) !== Boolean(options.jwtJwks)) problems.push('--jwt-issuer and --jwt-jwks go together');
  if (options.envoy === 'attach')
    for (const [flag, value] of [
      ['--upstream', options.upstream],
      ['--envoy-binary', options.envoyBinary],
      ['--listen-cert', options.listenCert],
      ['--jwt-issuer', options.jwtIssuer],
    ])
      if (value !== undefined) problems.push(`${flag}: is for the Envoy that Picket runs; add --envoy run`);
  for (const [flag, value, most] of [
    ['--workers', options.workers, 64],
    ['--trusted-hops', options.trustedHops, 16],
  ] as const)
    if (!Number.isInteger(value) || value < 0 || value > most)
      problems.push(`${flag}: give a whole number from 0 to ${most}`);
  if (!Number.isInteger(options.filterTtl) || options.filterTtl < 10 || options.filterTtl > 900)
    problems.push('--filter-ttl: give whole seconds from 10 to 900; below 300 a busy Picket may lose what it enforces');
  for (const [flag, value] of [
    ['--store-url', options.storeUrl] as const,
    ...options.envoyAdmin.map((url) => ['--envoy-admin', url] as const),
  ])
    if (value !== undefined && !/^https?:\/\//.test(value)) problems.push(`${flag}: "${value}" is not an http(s) URL`);
  if (options.natsUrl !== undefined && !/^(nats|tls):\/\//.test(options.natsUrl))
    problems.push(`--nats-url: "${options.natsUrl}" does not start with nats:// or tls://`);
  // An address that cannot be read fails more than one check.
  if (problems.length > 0) throw new PicketError('InvalidConfig', [...new Set(problems)].join('\n'));
}
