/** The sending end of the ingest benchmark, a process of its own: an Envoy that never has to wait for requests. */
import { type ClientWritableStream, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { accessLogService } from '@picket/proto/services/access-log.ts';
import { type AlsMessages, createAlsMessages } from './als-entries.ts';

export type SenderRequest =
  /** Opens a stream to `port`, for the callers of one load. */
  | { ask: 'open'; port: number; principals: number }
  /** Sends until so many entries were sent on the stream to `port`, in all. */
  | { ask: 'send'; port: number; upTo: number };

interface Stream {
  call: ClientWritableStream<Buffer>;
  messages: AlsMessages;
  sent: number;
  upTo: number;
  busy: boolean;
}

const entriesPerMessage = 100;
const Client = makeGenericClientConstructor(accessLogService, 'AccessLogService');
const streams = new Map<number, Stream>();

async function pump(stream: Stream): Promise<void> {
  if (stream.busy) return;
  stream.busy = true;
  while (stream.sent < stream.upTo) {
    const entries = Math.min(entriesPerMessage, stream.upTo - stream.sent);
    stream.sent += entries;
    if (!stream.call.write(stream.messages.next(entries, Date.now())))
      await new Promise<void>((resolve) => stream.call.once('drain', resolve));
  }
  stream.busy = false;
}

process.on('message', (request: SenderRequest) => {
  if (request.ask === 'open') {
    const client = new Client(`127.0.0.1:${request.port}`, credentials.createInsecure());
    const open = client['streamAccessLogs'] as (done: () => void) => ClientWritableStream<Buffer>;
    const call = open.call(client, () => undefined);
    call.on('error', () => undefined);
    streams.set(request.port, {
      call,
      messages: createAlsMessages(request.principals, request.principals),
      ...{ sent: 0, upTo: 0, busy: false },
    });
    return;
  }
  const stream = streams.get(request.port);
  if (!stream) throw new Error(`no stream to ${request.port}`);
  stream.upTo = Math.max(stream.upTo, request.upTo);
  void pump(stream);
});
