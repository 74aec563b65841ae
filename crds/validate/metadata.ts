/** What Kubernetes demands of `metadata`, whatever the kind. */
import { type FieldError, invalid, isRecord, required, wrongType, jsonTypeOf } from './field-error.ts';
import type { Json } from '../schema/schema.ts';
import { quote } from './structure.ts';

const SUBDOMAIN = String.raw`[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`;
const subdomain = new RegExp(`^${SUBDOMAIN}$`);
const subdomainMessage = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`;

const DNS_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsLabel = new RegExp(`^${DNS_LABEL}$`);
const dnsLabelMessage = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${DNS_LABEL}')`;

const LABEL_KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelKey = new RegExp(`^${LABEL_KEY}$`);
const labelKeyMessage = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${LABEL_KEY}')`;

const LABEL_VALUE = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';
const labelValue = new RegExp(`^${LABEL_VALUE}$`);
const labelValueMessage = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${LABEL_VALUE}')`;

/** All annotations of an object together, in UTF-16 units. */
const MAX_ANNOTATIONS = 256 * 1024;

export function validateMetadata(metadata: Json | undefined): FieldError[] {
  if (metadata === undefined) return [required('metadata.name', 'name or generateName is required')];
  if (!isRecord(metadata)) return [wrongType('metadata', `"${jsonTypeOf(metadata)}"`, 'object')];
  return [
    ...validateName(metadata['name']),
    ...validateNamespace(metadata['namespace']),
    ...validateLabels(metadata['labels']),
    ...validateAnnotations(metadata['annotations']),
  ];
}

function validateName(name: Json | undefined): FieldError[] {
  if (name === undefined || name === null || name === '') {
    return [required('metadata.name', 'name or generateName is required')];
  }
  if (typeof name !== 'string') return [wrongType('metadata.name', `"${jsonTypeOf(name)}"`, 'string')];
  const errors = [];
  if (name.length > 253) errors.push(invalid('metadata.name', quote(name), 'must be no more than 253 bytes'));
  if (!subdomain.test(name)) errors.push(invalid('metadata.name', quote(name), subdomainMessage));
  return errors;
}

function validateNamespace(namespace: Json | undefined): FieldError[] {
  if (namespace === undefined) return [];
  if (typeof namespace !== 'string') {
    return [wrongType('metadata.namespace', `"${jsonTypeOf(namespace)}"`, 'string')];
  }
  const errors = [];
  if (namespace.length > 63)
    errors.push(invalid('metadata.namespace', quote(namespace), 'must be no more than 63 bytes'));
  if (!dnsLabel.test(namespace)) errors.push(invalid('metadata.namespace', quote(namespace), dnsLabelMessage));
  return errors;
}

function validateLabels(labels: Json | undefined): FieldError[] {
  return eachText('metadata.labels', labels, (key, value) => [
    ...qualifiedNameProblems(key).map((problem) => invalid('metadata.labels', quote(key), problem)),
    ...(value.length > 63 ? [invalid('metadata.labels', quote(value), 'must be no more than 63 bytes')] : []),
    ...(labelValue.test(value) ? [] : [invalid('metadata.labels', quote(value), labelValueMessage)]),
  ]);
}

function validateAnnotations(annotations: Json | undefined): FieldError[] {
  let size = 0;
  const errors = eachText('metadata.annotations', annotations, (key, value) => {
    size += key.length + value.length;
    // Case does not count in the prefix of an annotation.
    return qualifiedNameProblems(key.toLowerCase()).map((problem) =>
      invalid('metadata.annotations', quote(key), problem),
    );
  });
  if (size > MAX_ANNOTATIONS) {
    errors.push({
      path: 'metadata.annotations',
      message: `Too long: may not be more than ${MAX_ANNOTATIONS} bytes`,
      blocksRules: true,
    });
  }
  return errors;
}

function eachText(
  path: string,
  values: Json | undefined,
  check: (key: string, value: string) => FieldError[],
): FieldError[] {
  if (values === undefined || values === null) return [];
  if (!isRecord(values)) return [wrongType(path, `"${jsonTypeOf(values)}"`, 'object')];
  return Object.entries(values).flatMap(([key, value]) =>
    typeof value === 'string'
      ? check(key, value)
      : [{ ...wrongType(`${path}.${key}`, `"${jsonTypeOf(value)}"`, 'string'), hint: `put quotes around the value` }],
  );
}

/** `prefix/name` as in label keys; the prefix is a DNS subdomain. */
function qualifiedNameProblems(key: string): string[] {
  const parts = key.split('/');
  if (parts.length > 2) {
    return [
      `a valid label key ${labelKeyMessage} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const problems: string[] = [];
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? parts[0] : undefined;
  if (prefix === '') problems.push('prefix part must be non-empty');
  else if (prefix !== undefined && !subdomain.test(prefix)) problems.push(`prefix part ${subdomainMessage}`);
  if (name === '') problems.push('name part must be non-empty');
  else if (name.length > 63) problems.push('name part must be no more than 63 bytes');
  if (!labelKey.test(name)) problems.push(`name part ${labelKeyMessage}`);
  return problems;
}
