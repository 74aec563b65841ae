import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { ReputationFeedStatus } from '@picket/crds/gen/types.ts';
import { type Reputation, ReputationSchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { parseDurationMs } from '../../compile/duration.ts';
import { nameOf } from '../../compile/precedence.ts';
import { parseReputationList, supportedFormats } from '../../compile/reputation-list.ts';
import { buildConditions, type ConditionClaim, readyClaim } from '../conditions.ts';
import type { ReputationFeedFacts } from './gather.ts';

/** A list in force. */
export interface LoadedFeed {
  reputation: Reputation;
  entries: number;
  skipped: number;
  /** Unix milliseconds. */
  loadedAt: number;
}

export interface ReputationFeedPlan {
  /** The list from now on; undefined when there is none. */
  loaded: LoadedFeed | undefined;
  status: ReputationFeedStatus;
  /** When to look again, Unix milliseconds: a list that cannot be loaded any more ends with its ttl. */
  againAt: number | undefined;
}

const defaultTtlMs = 86_400_000;

export function decide(facts: ReputationFeedFacts, now: number): ReputationFeedPlan {
  const { feed, content, previous } = facts;
  const parsed =
    'text' in content ? parseReputationList(content.text, feed.spec.format, feed.spec.kind) : content.message;
  if (typeof parsed !== 'string' && 'text' in content) {
    const digest = createHash('sha256').update(content.text).digest('hex');
    const { entries, skipped, ...lists } = parsed;
    const reputation = create(ReputationSchema, { feed: nameOf(feed), digest, weight: feed.spec.weight, ...lists });
    const unchanged = previous?.reputation.digest === digest;
    const loaded = { reputation, entries, skipped, loadedAt: unchanged ? previous.loadedAt : now };
    return { loaded, againAt: undefined, status: statusOf(facts, loaded, '', now) };
  }
  const error = typeof parsed === 'string' ? parsed : '';
  const endsAt = previous && previous.loadedAt + (parseDurationMs(feed.spec.ttl) ?? defaultTtlMs);
  const kept = endsAt !== undefined && endsAt > now ? previous : undefined;
  return { loaded: kept, againAt: kept ? endsAt : undefined, status: statusOf(facts, kept, error, now) };
}

function statusOf(
  { feed, content }: ReputationFeedFacts,
  loaded: LoadedFeed | undefined,
  error: string,
  now: number,
): ReputationFeedStatus {
  const supported = supportedFormats.includes(feed.spec.format);
  const usable = supported && !('reason' in content && content.reason === 'UnsupportedSource');
  const claims: ConditionClaim[] = [
    usable
      ? { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'The feed can be read' }
      : {
          type: 'Accepted',
          status: 'False',
          reason: supported ? 'UnsupportedSource' : 'UnsupportedFormat',
          message: error,
        },
    error === ''
      ? { type: 'Loaded', status: 'True', reason: 'Loaded', message: `${loaded?.entries ?? 0} entries` }
      : {
          type: 'Loaded',
          status: 'False',
          reason: 'reason' in content ? content.reason : 'Unreadable',
          message: loaded ? `${error}. The ${loaded.entries} entries loaded before stay for their ttl` : error,
        },
  ];
  const { generation } = feed.metadata;
  return {
    observedGeneration: generation,
    conditions: buildConditions(
      [...claims, readyClaim(claims, 'The list is in force')],
      feed.status?.conditions,
      generation,
      now,
    ),
    entries: loaded?.entries ?? 0,
    skipped: loaded?.skipped ?? 0,
    lastError: error,
    ...(loaded ? { digest: loaded.reputation.digest, lastLoaded: new Date(loaded.loadedAt).toISOString() } : {}),
  };
}
