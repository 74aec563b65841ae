/**
 * Kubernetes Events. A repeat raises the count of the one that is there, at most once a minute, as kubelet and controllers
 * do: an event says that something happens, not how often to the last digit.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { ObjectEvent, ObjectKey, StoredObject } from '../object-store.ts';
import { keyText } from '../object-table.ts';
import type { ApiServer } from './api-server.ts';

export interface EventWriter {
  record(event: ObjectEvent): Promise<void>;
}

interface Told {
  name: string;
  count: number;
  firstAt: number;
  writtenAt: number;
}

const rewriteMs = 60_000;
const maxRemembered = 2_000;
/** Bound of the API. */
const maxMessage = 1_024;

export function createEventWriter(options: {
  api: ApiServer;
  clock: Clock;
  reporter: { component: string; instance: string };
  find(key: ObjectKey): Promise<StoredObject | undefined>;
}): EventWriter {
  const { api, clock, reporter } = options;
  /** By what is told of whom; the oldest are forgotten first. */
  const told = new Map<string, Told>();

  return {
    async record(event) {
      const key = JSON.stringify([keyText(event.about), event.type, event.reason, event.message]);
      const now = clock.now();
      const before = told.get(key);
      const next: Told = before
        ? { ...before, count: before.count + 1 }
        : { name: nameOf(event, key, reporter.instance), count: 1, firstAt: now, writtenAt: 0 };
      told.delete(key);
      told.set(key, next);
      const [oldest] = told.keys();
      if (told.size > maxRemembered && oldest !== undefined) told.delete(oldest);
      if (now - next.writtenAt < rewriteMs) return;
      const about = await options.find(event.about);
      // Nobody would find an event about nothing.
      if (!about) return;
      next.writtenAt = now;
      const { namespace } = event.about;
      await api.request('PATCH', `/api/v1/namespaces/${namespace}/events/${next.name}`, {
        query: { fieldManager: reporter.component, force: true },
        contentType: 'application/apply-patch+yaml',
        body: {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: next.name, namespace },
          involvedObject: {
            apiVersion: about.apiVersion,
            kind: about.kind,
            namespace,
            name: about.metadata.name,
            uid: about.metadata.uid,
          },
          type: event.type,
          reason: event.reason,
          message: event.message.slice(0, maxMessage),
          count: next.count,
          firstTimestamp: seconds(next.firstAt),
          lastTimestamp: seconds(now),
          source: { component: reporter.component },
          reportingComponent: `picket.dev/${reporter.component}`,
          reportingInstance: reporter.instance,
        },
      });
    },
  };
}

/** The same event of the same reporter has the same name, also after a restart. */
function nameOf({ about }: ObjectEvent, key: string, instance: string): string {
  const hash = createHash('sha256').update(`${instance} ${key}`).digest('hex').slice(0, 16);
  return `${about.name.slice(0, 200)}.${hash}`;
}

/** Times of events have no fractions. */
function seconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
