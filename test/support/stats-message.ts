/** `StreamMetricsMessage` as an Envoy writes it. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';

/** Field of `Metric` by kind; its first field is a double. */
const kinds = { gauge: 2, counter: 3 } as const;

export type Statistic = [name: string, kind: keyof typeof kinds, value: number];

export function statsMessage(statistics: readonly Statistic[], nodeId?: string): Buffer {
  const message = new BinaryWriter();
  if (nodeId !== undefined) {
    message.tag(1, 2).fork();
    message.tag(1, 2).fork().tag(1, 2).string(nodeId).join();
    message.join();
  }
  for (const [name, kind, value] of statistics) {
    message
      .tag(2, 2)
      .fork()
      .tag(1, 2)
      .string(name)
      .tag(3, 0)
      .int32(kinds[kind] - 2);
    message.tag(4, 2).fork().tag(kinds[kind], 2).fork().tag(1, 1).double(value).join();
    message.tag(6, 0).int64(1_790_000_000_000).join().join();
  }
  return Buffer.from(message.finish());
}
