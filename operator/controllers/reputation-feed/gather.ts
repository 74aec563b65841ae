import type { ReputationFeed } from '@picket/crds/gen/types.ts';
import { configMapText } from '../protected-api/gather.ts';
import type { LoadedFeed } from './decide.ts';
import type { ObjectCache } from '../object-cache.ts';

/** Content of a source, or why there is none. */
export type FeedContent = { text: string } | { reason: 'SourceNotFound' | 'UnsupportedSource'; message: string };

export interface ReputationFeedFacts {
  feed: ReputationFeed;
  content: FeedContent;
  /** What is in force from an earlier load. */
  previous: LoadedFeed | undefined;
}

export function gather(
  objects: ObjectCache,
  previous: LoadedFeed | undefined,
  key: { namespace: string; name: string },
): ReputationFeedFacts | undefined {
  const feed = objects.get('ReputationFeed', key.namespace, key.name);
  return feed && { feed, content: contentOf(feed, objects), previous };
}

function contentOf(feed: ReputationFeed, objects: ObjectCache): FeedContent {
  // The folder store puts the text of `file` here.
  const source = feed.spec.source as ReputationFeed['spec']['source'] & { inline?: string };
  if (source.inline !== undefined) return { text: source.inline };
  if (source.configMapKeyRef) {
    const { name, key } = source.configMapKeyRef;
    const { namespace } = feed.metadata;
    const found = configMapText(objects.referenced({ kind: 'ConfigMap', namespace, name }), key);
    if (found.found) return { text: found.text };
    const field = 'spec.source.configMapKeyRef';
    return {
      reason: 'SourceNotFound',
      message: found.exists
        ? `${field}.key: ConfigMap ${name} has no key ${key}; add it or correct the key`
        : `${field}.name: no ConfigMap ${name} in namespace ${namespace}; create it or correct the name`,
    };
  }
  const used = source.https ? 'https' : source.secretKeyRef ? 'secretKeyRef' : 'file';
  return {
    reason: 'UnsupportedSource',
    message: `spec.source.${used}: cannot be read here; use configMapKeyRef${used === 'file' ? '' : ', or file with "picket up"'}`,
  };
}
