/** Values that mean the same wherever they stand. */
import { enumeration, integer, list, number, object, type Schema, string } from '../schema/schema.ts';

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
const DNS_LABEL_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
const PERCENT_PATTERN = String.raw`^((100|[0-9]{1,2})(\.[0-9]{1,6})?%|0(\.[0-9]{1,8})?|1(\.0{1,8})?)$`;

export function duration(description: string, initial?: string): Schema {
  return string(`${description} Hours, minutes, seconds or milliseconds, for example 15m or 1h30m.`, {
    pattern: DURATION_PATTERN,
    maxLength: 32,
    ...(initial === undefined ? {} : { default: initial }),
  });
}

export function percent(description: string, initial: string): Schema {
  return string(`${description} A percentage ("1%") or, quoted, a fraction ("0.01").`, {
    pattern: PERCENT_PATTERN,
    maxLength: 16,
    default: initial,
  });
}

export function dnsLabel(description: string): Schema {
  return string(`${description} A DNS label: lower case letters, digits and dashes, without dots.`, {
    pattern: DNS_LABEL_PATTERN,
    minLength: 1,
    maxLength: 63,
  });
}

export function objectName(description: string): Schema {
  return string(description, {
    pattern: String.raw`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`,
    minLength: 1,
    maxLength: 253,
  });
}

export function instant(description: string): Schema {
  return string(description, { format: 'date-time' });
}

export function headerName(description: string): Schema {
  return string(`${description} Case does not matter.`, {
    pattern: String.raw`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`,
    minLength: 1,
    maxLength: 128,
  });
}

export function jsonPointer(description: string): Schema {
  return string(`${description} A JSON pointer (RFC 6901), for example /user/name.`, {
    pattern: '^(/([^~/]|~[01])*)+$',
    minLength: 1,
    maxLength: 256,
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
  return integer(description, { minimum: 0, format: 'int64' });
}

export function text(description: string, maxLength = 256): Schema {
  return string(description, { maxLength });
}

export function texts(description: string, maxItems: number, maxLength = 256): Schema {
  return list(description, text('One entry.', maxLength), { maxItems });
}
