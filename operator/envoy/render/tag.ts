import type { Json } from './matcher.ts';
import { classKey, layerNames, RBAC_METADATA_NAMESPACE } from '@picket/proto/enforcement-metadata.ts';
import { riskHeader, tagFilter } from './names.ts';

const levels = ['elevated', 'high', 'critical', 'low'] as const;

/**
 * `header_mutation` as part of Envoy's own configuration: removes what a client sent under our name, then writes the
 * level of a tagged request. Dry-run classes are no tags, so they write nothing.
 */
export function renderTag(): Json {
  return {
    name: tagFilter,
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
      mutations: {
        requestMutations: [
          { remove: riskHeader },
          {
            append: {
              header: { key: riskHeader, value: `%CEL(${levelExpression()})%` },
              appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
            },
          },
        ],
      },
    },
  };
}

/** CEL: the level of the first layer with a tag; an empty value writes no header. */
function levelExpression(): string {
  const all = `metadata.filter_metadata['${RBAC_METADATA_NAMESPACE}']`;
  const steps = layerNames.map((layer) => {
    const key = `'${classKey(layer)}'`;
    const inLayer = levels.map((l) => `${all}[${key}].startsWith('tag-${l}.') ? '${l}' : `).join('');
    return `${key} in ${all} && ${all}[${key}].startsWith('tag-') ? (${inLayer}'') : `;
  });
  return `${steps.join('')}''`;
}
