import { layerNames } from '@picket/proto/enforcement-metadata.ts';
import { classStartsWith, execute, filterByMatch } from './by-class.ts';
import { firstOf, hasHeader, type Json, nested, type OnMatch, or } from './matcher.ts';
import { riskHeader, tagFilter } from './names.ts';

/** The highest first: of several layers that tag a request, the worst is told. */
const levels = ['critical', 'high', 'elevated', 'low'] as const;

/**
 * Tells the application the level of a tagged request, and removes what a client sent under our name. Part of Envoy's
 * own configuration. Dry-run classes are no tags, so they write nothing.
 */
export function renderTag(): Json {
  const inAnyLayer = (prefix: string) => or(layerNames.map((layer) => classStartsWith(layer, prefix)));
  const byLevel = firstOf(
    levels.map((level) => ({
      predicate: inAnyLayer(`tag-${level}.`),
      onMatch: mutate([remove, write(level)]),
    })),
  );
  return filterByMatch(
    tagFilter,
    firstOf([
      { predicate: inAnyLayer('tag-'), onMatch: nested(byLevel) },
      { predicate: hasHeader(riskHeader), onMatch: mutate([remove]) },
    ]),
  );
}

const remove: Json = { remove: riskHeader };

function write(level: (typeof levels)[number]): Json {
  return { append: { header: { key: riskHeader, value: level }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' } };
}

function mutate(requestMutations: Json[]): OnMatch {
  return execute('tag', {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
    mutations: { requestMutations },
  });
}
