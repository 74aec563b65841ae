import { createHash } from 'node:crypto';
import { createRegistry, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import { TypedExtensionConfigSchema } from '@picket/proto/gen/envoy/config/core/v3/extension_pb.js';
import { ActionSchema } from '@picket/proto/gen/envoy/config/rbac/v3/rbac_pb.js';
import { ExtensionWithMatcherSchema } from '@picket/proto/gen/envoy/extensions/common/matching/v3/extension_matcher_pb.js';
import {
  CompositeSchema,
  ExecuteFilterActionSchema,
} from '@picket/proto/gen/envoy/extensions/filters/http/composite/v3/composite_pb.js';
import { RBACSchema } from '@picket/proto/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { ConfigSchema } from '@picket/proto/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js';
import {
  FilterStateInputSchema,
  SourceIPInputSchema,
} from '@picket/proto/gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js';
import { IpSchema } from '@picket/proto/gen/envoy/extensions/matching/input_matchers/ip/v3/ip_pb.js';
import { HttpRequestHeaderMatchInputSchema } from '@picket/proto/gen/envoy/type/matcher/v3/http_inputs_pb.js';
import { IPMatcherSchema } from '@picket/proto/gen/xds/type/matcher/v3/ip_pb.js';
import type { RenderedResource } from '../render/identify.ts';
import { typeUrls } from '../render/names.ts';

/** Everything that may stand in an `Any` inside a pushed filter. */
const registry = createRegistry(
  RBACSchema,
  ActionSchema,
  ExtensionWithMatcherSchema,
  CompositeSchema,
  ExecuteFilterActionSchema,
  ConfigSchema,
  FilterStateInputSchema,
  SourceIPInputSchema,
  IpSchema,
  HttpRequestHeaderMatchInputSchema,
  IPMatcherSchema,
);

/** A filter as it goes on the wire. */
export interface EcdsResource {
  name: string;
  version: string;
  revision: number;
  hash: string;
  body: Any;
}

/** The content of a resource with its hash; the revision comes when it is published. */
export interface EncodedResource {
  name: string;
  hash: string;
  body: Any;
}

/** Encodes a rendered filter; equal content has an equal hash. */
export function encodeResource(rendered: RenderedResource): EncodedResource {
  const message = fromJson(
    TypedExtensionConfigSchema,
    { name: rendered.name, typedConfig: rendered.typedConfig } as JsonValue,
    { registry },
  );
  const value = toBinary(TypedExtensionConfigSchema, message);
  return {
    name: rendered.name,
    hash: createHash('sha256').update(value).digest('hex').slice(0, 16),
    body: create(AnySchema, { typeUrl: typeUrls.typedExtensionConfig, value }),
  };
}

/** `<revision>-<hash>`: the first tells older from newer, the second whether there is anything to send. */
export function formatVersion(revision: number, hash: string): string {
  return `${revision}-${hash}`;
}

/** Undefined for a version that some other server gave out. */
export function parseVersion(version: string): { revision: number; hash: string } | undefined {
  const match = /^(\d{1,15})-([0-9a-f]{16})$/.exec(version);
  return match?.[1] && match[2] ? { revision: Number(match[1]), hash: match[2] } : undefined;
}
