import { FLOW_METADATA_NAMESPACE, flowMetadataKey } from '@picket/proto/flow-metadata.ts';
import type { CompiledPolicy, Flow } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { claimsOf, isRequestOf, overlaps } from './api-match.ts';
import { execute, filterByMatch } from './by-class.ts';
import { operationIs, templateRegex } from './decision-match.ts';
import { firstOf, type Json, nested, type OnMatch } from './matcher.ts';
import { flowFilter, typeUrls } from './names.ts';

const jsonToMetadata = 'type.googleapis.com/envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata';

/** A route that a declared flow needs for itself. */
export interface FlowRoute {
  match: Json;
  typedPerFilterConfig: Json;
}

/** The filter as it stands in the chain: switched off, because it buffers whole bodies wherever it runs. */
export function renderFlowFilter(): Json {
  return {
    name: flowFilter,
    disabled: true,
    typedConfig: {
      '@type': jsonToMetadata,
      // The filter insists on a rule; routes that switch it on bring their own.
      requestRules: { rules: [rule('-', '/-')] },
    },
  };
}

/** Routes on which `json_to_metadata` reads the fields that flows of this policy declare; no other route buffers. */
export function flowRoutes(policy: CompiledPolicy): FlowRoute[] {
  return policy.flows.flatMap((flow) => {
    const config = fieldRules(flow);
    if (!config) return [];
    return [
      {
        match: {
          ...pathMatch(flow.path),
          ...(flow.method === '' ? {} : { headers: [{ name: ':method', stringMatch: { exact: flow.method } }] }),
        },
        typedPerFilterConfig: {
          [flowFilter]: { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', config },
        },
      },
    ];
  });
}

/** What a flow reads of bodies; undefined = nothing. */
function fieldRules(flow: Flow): Json | undefined {
  const request = requestPointers(flow);
  const response = responsePointers(flow);
  if (request.length === 0 && response.length === 0) return undefined;
  return {
    '@type': jsonToMetadata,
    ...(request.length > 0 ? { requestRules: rules(flow, 'request', request) } : {}),
    ...(response.length > 0 ? { responseRules: rules(flow, 'response', response) } : {}),
  };
}

/**
 * The filter for Envoys whose routes are somebody else's: a matcher of API and operation stands where the routes would.
 * The API that owns a request decides, as in `picket.identify`, so that a flow of another one buffers nothing.
 *
 * @returns undefined when no flow declares a field
 */
export function renderMatchedFlowFilter(policies: readonly CompiledPolicy[]): Json | undefined {
  const flowsOf = new Map(policies.map((policy) => [policy.apiUid, flowMatches(policy)] as const));
  const reads = ({ apiUid }: { apiUid: string }): boolean => (flowsOf.get(apiUid)?.length ?? 0) > 0;
  const claims = claimsOf(policies).filter(
    (claim, i, all) => reads(claim) || all.slice(i + 1).some((later) => reads(later) && overlaps(claim, later)),
  );
  if (claims.length === 0) return undefined;
  return filterByMatch(
    flowFilter,
    firstOf(
      claims.map((claim) => ({
        predicate: isRequestOf(claim),
        onMatch: reads(claim) ? nested(firstOf(flowsOf.get(claim.apiUid) ?? [], skip)) : skip,
      })),
    ),
  );
}

/** Ends the search: without it a request that is none of the API's flows would be tried against the next API. */
const skip: OnMatch = { action: { name: 'skip', typedConfig: { '@type': typeUrls.skipFilter } } };

function flowMatches({ flows }: CompiledPolicy): Parameters<typeof firstOf>[0] {
  return flows.flatMap((flow) => {
    const config = fieldRules(flow);
    return config ? [{ predicate: operationIs(flow.method, flow.path), onMatch: execute('fields', config) }] : [];
  });
}

function pathMatch(template: string): Json {
  if (!template.includes('{') && !template.endsWith('/**')) return { path: template };
  // Route regexes see the path without its query.
  return { safeRegex: { regex: templateRegex(template) } };
}

function requestPointers(flow: Flow): string[] {
  const sources = [flow.account, flow.amount, flow.counterparty];
  return unique(sources.flatMap((s) => (s?.from.case === 'requestField' ? [s.from.value] : [])));
}

function responsePointers(flow: Flow): string[] {
  const tests = flow.success.flatMap((clause) => clause.all);
  return unique(tests.flatMap((t) => (t.test.case === 'responseField' ? [t.test.value.pointer] : [])));
}

function rules(flow: Flow, side: 'request' | 'response', pointers: string[]): Json {
  return { rules: pointers.map((pointer) => rule(flowMetadataKey(flow.name, side, pointer), pointer)) };
}

function rule(key: string, pointer: string): Json {
  return {
    selectors: pointer
      .split('/')
      .slice(1)
      .map((segment) => ({ key: segment.replaceAll('~1', '/').replaceAll('~0', '~') })),
    onPresent: { metadataNamespace: FLOW_METADATA_NAMESPACE, key },
  };
}

function unique(values: string[]): string[] {
  return [...new Set(values)];
}
