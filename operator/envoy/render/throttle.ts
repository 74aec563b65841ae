import {
  classKey,
  layerNames,
  RBAC_METADATA_NAMESPACE,
  THROTTLE_CLASS_PREFIX,
} from '@picket/proto/enforcement-metadata.ts';
import { classStartsWith, execute, filterByMatch } from './by-class.ts';
import { firstOf, type Json, or } from './matcher.ts';
import { limiterFilter } from './names.ts';

/**
 * Rates the stationary limiter knows, requests per minute. The filter is part of Envoy's own configuration, so it must
 * know every rate before a decision names one; a rate in between takes the next lower.
 */
export const throttleRates = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3000] as const;

/** Principals that one Envoy process limits at a time; the least recently used one gives way. */
const maxThrottledPrincipals = 20_000;

/** Rate that a wish of this many requests per minute gets. */
export function throttleRate(requestsPerMinute: number): number {
  return throttleRates.findLast((rate) => rate <= requestsPerMinute) ?? throttleRates[0];
}

/** Class under which a layer puts a throttled request. */
export function throttleClass(requestsPerMinute: number): string {
  return `${THROTTLE_CLASS_PREFIX}${throttleRate(requestsPerMinute)}`;
}

/**
 * `local_ratelimit` as part of Envoy's own configuration: pushes never touch it, so nobody's bucket is refilled by
 * somebody else's decision. One bucket per principal and Envoy process.
 */
export function renderLimiter(): Json {
  const throttled = or(layerNames.map((layer) => classStartsWith(layer, THROTTLE_CLASS_PREFIX)));
  return filterByMatch(limiterFilter, firstOf([{ predicate: throttled, onMatch: execute('limit', limiter()) }]));
}

function limiter(): Json {
  return {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
    statPrefix: 'picket_throttle',
    filterEnabled: { defaultValue: { numerator: 100, denominator: 'HUNDRED' } },
    filterEnforced: { defaultValue: { numerator: 100, denominator: 'HUNDRED' } },
    // For requests that no descriptor fits: never empty.
    tokenBucket: { maxTokens: 4_000_000_000, tokensPerFill: 4_000_000_000, fillInterval: '1s' },
    maxDynamicDescriptors: maxThrottledPrincipals,
    rateLimits: layerNames.map((layer) => ({
      actions: [
        {
          metadata: {
            descriptorKey: 'principal',
            metadataKey: { key: RBAC_METADATA_NAMESPACE, path: [{ key: classKey(layer) }] },
          },
        },
        {
          extension: {
            name: 'envoy.rate_limit_descriptors.expr',
            typedConfig: {
              '@type': 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor',
              descriptorKey: 'class',
              skipIfError: true,
              text: classExpression(`metadata.filter_metadata['${RBAC_METADATA_NAMESPACE}']['${classKey(layer)}']`),
            },
          },
        },
      ],
    })),
    descriptors: throttleRates.map((rate) => ({
      entries: [{ key: 'principal' }, { key: 'class', value: throttleClass(rate) }],
      tokenBucket: { maxTokens: rate, tokensPerFill: rate, fillInterval: '60s' },
    })),
  };
}

/** CEL: the class in front of the first dot when it is a throttle class, else "". */
function classExpression(name: string): string {
  const chain = throttleRates.map((r) => `${name}.startsWith('${throttleClass(r)}.') ? '${throttleClass(r)}' : `);
  return `${name}.startsWith('${THROTTLE_CLASS_PREFIX}') ? (${chain.join('')}'') : ''`;
}
