/**
 * Filters that act on the class a layer gave a request. Most requests have none, so a matcher stands in front: a filter
 * that does not run costs a tenth of one that finds out by itself that it has nothing to do.
 */
import { classKey, type LayerName, RBAC_METADATA_NAMESPACE } from '@picket/proto/enforcement-metadata.ts';
import type { Json, Matcher, OnMatch, Predicate } from './matcher.ts';
import { typeUrls } from './names.ts';

/** The class that the layer gave the request starts with this. */
export function classStartsWith(layer: LayerName, prefix: string): Predicate {
  const path = [{ key: classKey(layer) }];
  return {
    singlePredicate: {
      input: {
        name: 'class',
        typedConfig: { '@type': typeUrls.dynamicMetadataInput, filter: RBAC_METADATA_NAMESPACE, path },
      },
      customMatch: {
        name: 'class',
        typedConfig: { '@type': typeUrls.metadataMatcher, value: { stringMatch: { prefix } } },
      },
    },
  };
}

/** Runs the filter on a match. */
export function execute(name: string, typedConfig: Json): OnMatch {
  return { action: { name, typedConfig: { '@type': typeUrls.executeFilter, typedConfig: { name, typedConfig } } } };
}

/** A filter of Envoy's own configuration that does what the matcher says, and nothing without a match. */
export function filterByMatch(name: string, xdsMatcher: Matcher): Json {
  return {
    name,
    typedConfig: {
      '@type': typeUrls.extensionWithMatcher,
      extensionConfig: { name, typedConfig: { '@type': typeUrls.composite } },
      xdsMatcher,
    },
  };
}
