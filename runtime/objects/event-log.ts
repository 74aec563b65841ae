import type { Clock } from '../clock.ts';
import type { ObjectEvent } from './object-store.ts';
import { keyText } from './object-table.ts';

/** An event with how often and when it happened. */
export interface RecordedEvent extends ObjectEvent {
  count: number;
  /** Unix ms. */
  firstAt: number;
  lastAt: number;
}

export interface EventLog {
  record(event: ObjectEvent): void;
  /** Oldest first. */
  list(): RecordedEvent[];
}

/** The last `capacity` different events; a repeat raises the count of the one that is there. */
export function createEventLog(clock: Clock, capacity: number): EventLog {
  const events = new Map<string, RecordedEvent>();
  return {
    record(event) {
      const key = JSON.stringify([keyText(event.about), event.type, event.reason, event.message]);
      const now = clock.now();
      const known = events.get(key);
      events.delete(key);
      events.set(key, {
        ...event,
        count: (known?.count ?? 0) + 1,
        firstAt: known?.firstAt ?? now,
        lastAt: now,
      });
      const [oldest] = events.keys();
      if (events.size > capacity && oldest !== undefined) events.delete(oldest);
    },
    list: () => [...events.values()],
  };
}
