/** Which body fields an Envoy wired by Picket exports for the flows of a ProtectedAPI. */
import { flowMetadataKey } from '@picket/proto/flow-metadata.ts';

export interface FlowFields {
  method: string;
  path: string;
  request: FlowField[];
  response: FlowField[];
}

interface FlowField {
  /** Key in the flow metadata namespace. */
  key: string;
  /** Top level field of the JSON body. */
  field: string;
}

/** The part of a ProtectedAPI that is read. */
export interface ApiManifest {
  spec: {
    flows?: {
      name: string;
      match: { method?: string; path: string };
      account?: { requestField?: string };
      fields?: Record<string, { requestField?: string }>;
      success?: { anyOf?: OutcomeClause[] };
    }[];
  };
}

interface OutcomeClause {
  responseField?: { pointer: string };
  all?: { responseField?: { pointer: string } }[];
}

/** @throws Error for a pointer below the top level: the shop's bodies are flat. */
export function flowFieldsOf(api: ApiManifest): FlowFields[] {
  return (api.spec.flows ?? []).map((flow) => {
    const asked = [flow.account, ...Object.values(flow.fields ?? {})].flatMap((s) => s?.requestField ?? []);
    const clauses = flow.success?.anyOf ?? [];
    const answered = clauses.flatMap((c) => [c, ...(c.all ?? [])]).flatMap((c) => c.responseField?.pointer ?? []);
    return {
      method: flow.match.method ?? '',
      path: flow.match.path,
      request: asked.map((pointer) => flowField(flow.name, 'request', pointer)),
      response: answered.map((pointer) => flowField(flow.name, 'response', pointer)),
    };
  });
}

function flowField(flow: string, side: 'request' | 'response', pointer: string): FlowField {
  const field = pointer.slice(1);
  if (field.includes('/')) throw new Error(`flow ${flow}: ${pointer} is below the top level of the body`);
  return { key: flowMetadataKey(flow, side, pointer), field };
}
