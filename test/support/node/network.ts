/**
 * Addresses of a node: a /16 of 10.0.0.0/8 that nobody here uses, reached from the machine over one pair of interfaces.
 * Nothing is forwarded further, so what runs on the node reaches the machine's end of the pair and nothing else.
 */
import { networkInterfaces } from 'node:os';
import { runToEnd } from '../commands.ts';

export interface NodeNetwork {
  /** Of the interface, and of all else that has to have a name of its own on the machine. */
  readonly name: string;
  /** The machine, as pods see it. */
  readonly hostAddress: string;
  readonly nodeAddress: string;
  readonly podRange: string;
  readonly serviceRange: string;
  /** The i-th of 8,000 addresses of clients on the machine: each may be the source of a connection to a pod. */
  clientAddress(i: number): string;
  release(): Promise<void>;
}

const first = 64;
const last = 127;

/** Takes the first range that is free. @param pid of a process in the namespace of the node */
export async function claimNetwork(pid: number): Promise<NodeNetwork> {
  const used = new Set(
    Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? []).map(({ address }) => address.split('.').slice(0, 2).join('.')),
    ),
  );
  for (let i = first; i <= last; i++) {
    if (used.has(`10.${i}`)) continue;
    const network = networkOf(i);
    // Whoever makes the interface has the range.
    const { code, err } = await ip(
      ...['link', 'add', network.name, 'type', 'veth', 'peer', 'name', 'node', 'netns', String(pid)],
    );
    if (code !== 0 && err.includes('exists')) continue;
    if (code !== 0) throw new Error(`ip link add ${network.name}: ${err}`);
    await configure(network, i, pid);
    return network;
  }
  throw new Error(`no free range between 10.${first}.0.0/16 and 10.${last}.0.0/16`);
}

function networkOf(i: number): NodeNetwork {
  const name = `picket${i}`;
  return {
    name,
    hostAddress: `10.${i}.255.1`,
    nodeAddress: `10.${i}.255.2`,
    podRange: `10.${i}.0.0/20`,
    serviceRange: `10.${i}.128.0/20`,
    clientAddress: (n) => `10.${i}.${192 + (Math.floor(n / 250) % 32)}.${1 + (n % 250)}`,
    // The other end and all routes go with it.
    release: async () => void (await ip('link', 'delete', name)),
  };
}

async function configure(network: NodeNetwork, i: number, pid: number): Promise<void> {
  const { name, hostAddress, nodeAddress } = network;
  const inside = ['nsenter', '--target', String(pid), '--net', '--'];
  const steps = [
    ['ip', 'address', 'add', `${hostAddress}/30`, 'dev', name],
    ['ip', 'link', 'set', name, 'up'],
    ['ip', 'route', 'add', `10.${i}.0.0/16`, 'via', nodeAddress, 'dev', name],
    // Every address of clients is the machine's own.
    ['ip', 'route', 'add', 'local', `10.${i}.192.0/19`, 'dev', name],
    [...inside, 'ip', 'link', 'set', 'lo', 'up'],
    [...inside, 'ip', 'address', 'add', `${nodeAddress}/30`, 'dev', 'node'],
    [...inside, 'ip', 'link', 'set', 'node', 'up'],
    [...inside, 'ip', 'route', 'add', 'default', 'via', hostAddress],
    [...inside, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'],
  ];
  for (const [command = '', ...args] of steps) {
    const { code, err } = await runToEnd(command, args);
    if (code === 0) continue;
    await network.release();
    throw new Error(`${command} ${args.join(' ')}: ${err}`);
  }
}

function ip(...args: string[]) {
  return runToEnd('ip', args);
}
