/** Values that mean the same wherever they stand. */
import { enumeration, integer, list, number, object, type Rule, type Schema, string } from '../schema/schema.ts';

export const levels = ['None', 'Low', 'Elevated', 'High', 'Critical'] as const;
export const actions = ['Tag', 'Throttle', 'Challenge', 'Deny'] as const;
export const principalKinds = [
  'User',
  'App',
  'Token',
  'Session',
  'Device',
  'Address',
  'Network',
  'Workload',
  'Campaign',
] as const;

/** As Gateway API durations (GEP-2257): what both Go and CEL read. */
const DURATION_PATTERN = '^([0-9]{1,5}(h|m|s|ms)){1,4}$';
const PERCENT_PATTERN = '^((100|[0-9]{1,2})([.][0-9]{1,6})?%|0([.][0-9]{1,8})?|1([.]0{1,8})?)$';
const HOST_PATTERN = '^([*]|([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$';

/** A rule instead of `pattern`, because a rule can say in words what is wrong. */
function shape(pattern: string, message: string): Rule {
  return { rule: `self.matches('${pattern}')`, message };
}

export function duration(description: string, initial?: string): Schema {
  return string(`${description} Hours, minutes, seconds or milliseconds, for example 15m or 1h30m.`, {
    maxLength: 32,
    ...(initial === undefined ? {} : { default: initial }),
    rules: [shape(DURATION_PATTERN, 'must be a duration in h, m, s or ms, for example 15m or 1h30m; a day is 24h')],
  });
}

/**
 * A rule over durations, which CEL can only read once they have the right shape; what has not is reported where it is.
 * `fields` are CEL names of fields of `self`.
 */
export function durationRule(fields: readonly string[], rule: string, message: string, fieldPath: string): Rule {
  const readable = fields
    .map((field) => `has(self.${field}) && self.${field}.matches('${DURATION_PATTERN}')`)
    .join(' && ');
  return { rule: `!(${readable}) || (${rule})`, message, fieldPath };
}

export function percent(description: string, initial: string): Schema {
  return string(`${description} A percentage ("1%") or, quoted, a fraction ("0.01").`, {
    maxLength: 16,
    default: initial,
    rules: [shape(PERCENT_PATTERN, 'must be a percentage such as "1%" or a fraction such as "0.01", at most 100%')],
  });
}

export function hostName(description: string): Schema {
  return string(`${description} Lower case, without port; "*.example.com" matches any labels in front, "*" any host.`, {
    minLength: 1,
    maxLength: 253,
    rules: [
      shape(
        HOST_PATTERN,
        'must be a host in lower case without scheme and port, for example api.example.com, *.example.com or *',
      ),
    ],
  });
}

export function dnsLabel(description: string): Schema {
  return string(`${description} A DNS label: lower case letters, digits and dashes, without dots.`, {
    minLength: 1,
    maxLength: 63,
    rules: [
      shape(
        '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
        'must be a DNS label: lower case letters, digits and dashes, for example log-in',
      ),
    ],
  });
}

export function objectName(description: string): Schema {
  return string(description, {
    minLength: 1,
    maxLength: 253,
    rules: [
      shape(
        '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
        'must be the name of an object: lower case letters, digits, dashes and dots',
      ),
    ],
  });
}

export function instant(description: string): Schema {
  return string(description, { format: 'date-time' });
}

export function headerName(description: string): Schema {
  return string(`${description} Case does not matter.`, {
    minLength: 1,
    maxLength: 128,
    rules: [shape('^[A-Za-z0-9!#$%&*+.^_|~-]+$', 'must be the name of a header, for example x-api-key')],
  });
}

export function jsonPointer(description: string): Schema {
  return string(`${description} A JSON pointer (RFC 6901), for example /user/name.`, {
    minLength: 1,
    maxLength: 256,
    rules: [shape('^(/([^~/]|~[01])*)+$', 'must be a JSON pointer: starts with /, for example /user/name')],
  });
}

export function method(): Schema {
  return enumeration('Method', 'HTTP method. Left out, any method matches.', [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'TRACE',
  ]);
}

export function pathTemplate(description: string): Schema {
  return string(`${description} Variables stand in braces, a trailing /** matches any rest: /v1/orders/{id}/**.`, {
    minLength: 1,
    maxLength: 512,
    rules: [
      {
        rule: "self.startsWith('/')",
        message: 'must start with /, for example /v1/orders/{id}',
      },
      {
        rule: "!self.contains('?') && !self.contains('#')",
        message: 'must be a path without query (?) or fragment (#)',
      },
      {
        rule: "!self.contains('**') || (self.endsWith('/**') && self.indexOf('**') == size(self) - 2)",
        message: '** may stand only at the end, as /**',
      },
      {
        // One regular expression instead of a loop over segments: a loop exceeds the cost that Kubernetes allows.
        rule: "self.matches('^(/([^/{}]+|[{][A-Za-z_][A-Za-z0-9_-]*[}])?)*$')",
        message: 'a variable fills a whole segment, for example /orders/{id}',
      },
    ],
  });
}

/** Reference to an object of this group in the same namespace. */
export function localReference(typeName: string, description: string): Schema {
  return object(typeName, description, {
    required: { name: objectName('Name of the object, in the same namespace.') },
  });
}

export function keyReference(typeName: string, of: 'ConfigMap' | 'Secret'): Schema {
  return object(typeName, `A key of a ${of} in the same namespace.`, {
    required: {
      name: objectName(`Name of the ${of}.`),
      key: string(`Key in the data of the ${of}.`, { pattern: '^[-._a-zA-Z0-9]+$', minLength: 1, maxLength: 253 }),
    },
  });
}

/** A path below the folder of manifests; only where Picket runs outside Kubernetes. */
export function relativeFile(description: string): Schema {
  return string(`${description} Relative to the manifest that names it. Only for \`picket up\`, not in Kubernetes.`, {
    minLength: 1,
    maxLength: 512,
    rules: [
      {
        rule: "!self.startsWith('/') && !self.split('/').exists(s, s == '..')",
        message: 'must be a relative path inside the folder of manifests, without ".."',
      },
    ],
  });
}

export function score(description: string): Schema {
  return integer(description, { minimum: 0, maximum: 100 });
}

export function level(description: string): Schema {
  return enumeration('Level', description, levels);
}

export function ratio(description: string): Schema {
  return number(description, { minimum: 0, maximum: 1 });
}

export function count(description: string): Schema {
  return integer(description, { minimum: 0 });
}

export function text(description: string, maxLength = 256): Schema {
  return string(description, { maxLength });
}

export function texts(description: string, maxItems: number, maxLength = 256): Schema {
  return list(description, text('One entry.', maxLength), { maxItems });
}
