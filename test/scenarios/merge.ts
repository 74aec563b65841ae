import type { EventStream, RequestEvent } from './request-event.ts';

/** Events of many streams in order of time. Holds one event per stream, so a whole day fits in little memory. */
export function* mergeEvents(streams: Iterable<EventStream>): Generator<RequestEvent, undefined> {
  const heap: { event: RequestEvent; stream: EventStream }[] = [];
  const before = (i: number, j: number) => (heap[i]?.event.at ?? 0) < (heap[j]?.event.at ?? 0);
  const swap = (i: number, j: number) => {
    const item = heap[i];
    heap[i] = heap[j] as (typeof heap)[number];
    heap[j] = item as (typeof heap)[number];
  };
  const sink = () => {
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && before(child, least)) least = child;
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  };
  for (const stream of streams) {
    const first = stream.next();
    if (first.done) continue;
    heap.push({ event: first.value, stream });
    for (let i = heap.length - 1; i > 0 && before(i, (i - 1) >> 1); i = (i - 1) >> 1) swap(i, (i - 1) >> 1);
  }
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    yield top.event;
    const following = top.stream.next();
    if (following.done) {
      const last = heap.pop();
      if (heap.length > 0 && last !== undefined) heap[0] = last;
    } else {
      top.event = following.value;
    }
    sink();
  }
}
