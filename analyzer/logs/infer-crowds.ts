/**
 * Addresses that stand for a crowd: a load balancer or a CDN whose log does not tell the client, a whole office; also
 * no address, in a log that names none. What such an address does says nothing about anybody; its rare user agents still
 * tell a tool from the crowd.
 */
import type { AccessRecord } from '../ingest/access-record.ts';

export interface Crowds {
  /** Sentences for the report. */
  notes: string[];
  /** Takes from a record what a crowd shares: the address, and the user agent unless it is a rare one. */
  blur(record: AccessRecord): void;
}

export interface CrowdSample {
  observe(record: AccessRecord): void;
  conclude(sampled: number): Crowds;
}

interface Agent {
  requests: number;
  served: number;
  /** Different pages read, a few of them. */
  pages: Set<string>;
}

interface Seen {
  requests: number;
  agents: Map<string, Agent> | undefined;
  /** Pages read, and different ones among the first of them: people come back to the same, a tool with many names does not. */
  reads: number;
  pages: Set<string>;
}

const maxAddresses = 20_000;
const maxAgents = 200;
/** Below this an address is not worth a list of user agents. */
const minRequests = 30;
/** Colleagues have the same few browsers. */
const minAgents = 4;
const minPages = 5;
const maxReads = 2000;
/** Least reads per page. */
const minReturns = 1.3;

export function createCrowdSample(): CrowdSample {
  const addresses = new Map<string, Seen>();
  return {
    observe(r) {
      let seen = addresses.get(r.remoteAddress);
      if (!seen) {
        if (addresses.size >= maxAddresses) return;
        addresses.set(r.remoteAddress, (seen = { requests: 0, agents: undefined, reads: 0, pages: new Set() }));
      }
      seen.requests++;
      if (seen.requests < minRequests) return;
      seen.agents ??= new Map();
      let agent = seen.agents.get(r.userAgent);
      if (!agent) {
        if (seen.agents.size >= maxAgents) return;
        seen.agents.set(r.userAgent, (agent = { requests: 0, served: 0, pages: new Set() }));
      }
      agent.requests++;
      if (r.status < 200 || r.status >= 400) return;
      agent.served++;
      if (r.method !== 'GET') return;
      if (agent.pages.size < minPages) agent.pages.add(r.path);
      if (seen.reads >= maxReads) return;
      seen.reads++;
      seen.pages.add(r.path);
    },
    conclude(sampled) {
      const crowds = new Map<string, Set<string>>();
      let through = 0;
      for (const [address, { requests, agents, reads, pages }] of addresses) {
        if (reads < minReturns * pages.size) continue;
        const common = new Set<string>();
        for (const [name, a] of agents ?? [])
          if (a.pages.size >= minPages && a.served >= 0.6 * a.requests) common.add(name);
        if (common.size < minAgents) continue;
        crowds.set(address, common);
        through += requests;
      }
      const unknown = addresses.get('')?.requests ?? 0;
      // Twenty thousand of them would stay as long as the reading.
      addresses.clear();
      // A small office is one source among others; what is judged here is one that makes most of the log.
      const percent = (part: number): number => Math.round((100 * part) / sampled);
      const notes =
        percent(unknown) < 1
          ? []
          : [
              `the log names no client for ${percent(unknown)} % of the requests: there only users, sessions and rare user agents ` +
                'tell who did what; log the address of the client to be told more',
            ];
      if (through < 0.6 * sampled || crowds.size === 0) return { notes, blur: () => {} };
      const known = [...crowds.keys()].filter((address) => address !== '');
      const [first = ''] = known;
      const who = known.length === 1 ? `${first} stands` : `${known.length} addresses (${first}, …) stand`;
      if (known.length > 0)
        notes.push(
          `${who} for a crowd, ${percent(through)} % of the requests: a load balancer, a CDN or an office. ` +
            'Log the client that it forwards to be told who did what; here only rare user agents could be told apart',
        );
      return {
        notes,
        blur(r) {
          const common = crowds.get(r.remoteAddress);
          if (!common) return;
          r.remoteAddress = '';
          r.directAddress = '';
          if (common.has(r.userAgent)) r.userAgent = '';
        },
      };
    },
  };
}
