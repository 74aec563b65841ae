/** What the live traffic saw: who sent how much, who was refused, and when. */
import type { HttpReply } from '../support/http-client.ts';
import { refusedByEnvoy } from '../scenarios/drivers/live.ts';
import type { AttackFamily, Label, RequestEvent } from '../scenarios/request-event.ts';

export interface Attempt {
  /** When its author meant it to be sent; a slow machine sends it later. */
  meantAt: number;
  sentAt: number;
  endedAt: number;
  refused: boolean;
  status: number;
}

export interface TrafficLedger {
  record(event: RequestEvent, reply: HttpReply, sentAt: number): void;
  /** Abusive requests of one family in the order in which they ended. */
  attempts(family: AttackFamily): readonly Attempt[];
  /** Whose a request was, by the id that Envoy gave it; undefined for one that was not answered or not counted. */
  authorOf(requestId: string): Label | undefined;
  ordinary(): OrdinaryTraffic;
  /** Requests that got no answer at all, with the last reason. */
  failures(): { count: number; last: string };
}

export interface OrdinaryTraffic {
  users: number;
  requests: number;
  /** Requests of ordinary users that Envoy refused, and whose. */
  refused: number;
  refusedUsers: string[];
  /** Requests of the busiest ordinary users, in descending order. */
  busiest: number[];
}

export function createTrafficLedger(): TrafficLedger {
  const attempts = new Map<AttackFamily, Attempt[]>();
  const requestsByUser = new Map<string, number>();
  const refusedUsers = new Set<string>();
  let requests = 0;
  let refused = 0;
  const authors = new Map<string, Label>();
  const failures = { count: 0, last: '' };
  return {
    record(event, reply, sentAt) {
      if (reply.status === 0) {
        failures.count += 1;
        failures.last = reply.error ?? '';
      }
      const { label, id, persona } = event.actor;
      const isRefused = refusedByEnvoy(reply);
      // The owner of the stolen token loses it: that is the point, and no ordinary user.
      if (persona === 'tokenOwner') return;
      const requestId = reply.headers['x-request-id'];
      if (typeof requestId === 'string') authors.set(requestId, label);
      if (label !== 'benign') {
        const list = attempts.get(label) ?? [];
        const endedAt = sentAt + reply.tookMs;
        list.push({ meantAt: event.at, sentAt, endedAt, refused: isRefused, status: reply.status });
        attempts.set(label, list);
        return;
      }
      requests += 1;
      requestsByUser.set(id, (requestsByUser.get(id) ?? 0) + 1);
      if (isRefused) {
        refused += 1;
        refusedUsers.add(id);
      }
    },
    attempts: (family) => attempts.get(family) ?? [],
    authorOf: (requestId) => authors.get(requestId),
    ordinary: () => ({
      users: requestsByUser.size,
      requests,
      refused,
      refusedUsers: [...refusedUsers],
      busiest: [...requestsByUser.values()].sort((a, b) => b - a).slice(0, 10),
    }),
    failures: () => failures,
  };
}
