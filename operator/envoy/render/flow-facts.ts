import { FLOW_METADATA_NAMESPACE, flowMetadataKey } from '@picket/proto/flow-metadata.ts';
import type { CompiledPolicy, Flow } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { templateRegex } from './decision-match.ts';
import type { Json } from './matcher.ts';
import { flowFilter } from './names.ts';

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
    const request = requestPointers(flow);
    const response = responsePointers(flow);
    if (request.length === 0 && response.length === 0) return [];
    const config: Json = { '@type': jsonToMetadata };
    if (request.length > 0) config['requestRules'] = rules(flow, 'request', request);
    if (response.length > 0) config['responseRules'] = rules(flow, 'response', response);
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
