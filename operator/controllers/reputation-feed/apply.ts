import type { ReputationFeed, ReputationFeedStatus } from '@picket/crds/gen/types.ts';
import { type StatusWriter, writeStatus } from '../status.ts';

export function apply(sinks: StatusWriter, feed: ReputationFeed, status: ReputationFeedStatus): Promise<void> {
  return writeStatus(sinks, feed, status);
}
