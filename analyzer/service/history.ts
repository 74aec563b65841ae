/** Access logs of the past as records, for `picket up --history`. */
import type { AccessRecord } from '../ingest/access-record.ts';
import { LogInputError, openLogs } from '../logs/open.ts';
import { PicketError } from '@picket/runtime/errors.ts';

export interface History {
  records(): AsyncGenerator<AccessRecord>;
  /** Lines that are no access records. */
  rejected(): number;
}

/** @throws PicketError NotFound or InvalidConfig when a file cannot be used */
export async function openHistory(paths: readonly string[], cwd: string): Promise<History> {
  try {
    const logs = await openLogs({ paths, cwd });
    return {
      async *records() {
        for await (const batch of logs.read()) for (const { record } of batch) yield record;
      },
      rejected: () => logs.report().rejected,
    };
  } catch (error) {
    if (error instanceof LogInputError)
      throw new PicketError('NotFound', `--history: ${error.message}`, { cause: error });
    throw error;
  }
}
