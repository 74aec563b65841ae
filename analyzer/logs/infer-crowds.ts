/**
 * Addresses that stand for everybody: a load balancer, a CDN or a gateway whose log does not tell the client. What such
 * an address does says nothing about anybody; its rare user agents still tell a tool from the crowd.
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
  /** Parts of pages and followed links: what a person's browser leaves and a tool with many names does not. */
  browsed: number;
}

const maxAddresses = 20_000;
const maxAgents = 200;
/** Below this an address is not worth a list of user agents. */
const minRequests = 30;
/** Colleagues have the same few browsers. */
const minAgents = 4;
const minBrowsed = 5;
const part = /\.(?:css|js|png|jpe?g|gif|svg|ico|webp|woff2?)(?:\?|$)/i;

export function createCrowdSample(): CrowdSample {
  const addresses = new Map<string, { requests: number; agents: Map<string, Agent> | undefined }>();
  return {
    observe(r) {
      let seen = addresses.get(r.remoteAddress);
      if (!seen) {
        if (r.remoteAddress === '' || addresses.size >= maxAddresses) return;
        addresses.set(r.remoteAddress, (seen = { requests: 0, agents: undefined }));
      }
      seen.requests++;
      if (seen.requests < minRequests) return;
      seen.agents ??= new Map();
      let agent = seen.agents.get(r.userAgent);
      if (!agent) {
        if (seen.agents.size >= maxAgents) return;
        seen.agents.set(r.userAgent, (agent = { requests: 0, served: 0, browsed: 0 }));
      }
      agent.requests++;
      if (r.status < 200 || r.status >= 400) return;
      agent.served++;
      if (r.referer !== '' || part.test(r.path)) agent.browsed++;
    },
    conclude(sampled) {
      const crowds = new Map<string, Set<string>>();
      let through = 0;
      for (const [address, { requests, agents }] of addresses) {
        const common = new Set<string>();
        for (const [name, a] of agents ?? [])
          if (a.browsed >= minBrowsed && a.served >= 0.6 * a.requests) common.add(name);
        if (common.size < minAgents) continue;
        crowds.set(address, common);
        through += requests;
      }
      // An office or a carrier is one source among others; a proxy in front of the site is nearly all of them.
      if (through < 0.6 * sampled || crowds.size === 0) return { notes: [], blur: () => {} };
      const [first = ''] = crowds.keys();
      const who = crowds.size === 1 ? `${first} stands` : `${crowds.size} addresses (${first}, …) stand`;
      return {
        notes: [
          `${who} for everybody, ${Math.round((100 * through) / sampled)} % of the requests: a load balancer or CDN. ` +
            'Log the client it forwards to be told who did what; here only rare user agents could be told apart',
        ],
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
