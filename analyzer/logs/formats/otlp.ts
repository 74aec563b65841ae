/**
 * OTLP logs as JSON (`resourceLogs`, the collector's file exporter) with HTTP semantic conventions, old and new names.
 * `timeUnixNano` is the arrival where a duration stands beside it (Envoy's OpenTelemetry logger writes START_TIME).
 */
import type { ReadOutcome, RecordSink } from '../log-format.ts';

type Json = Record<string, unknown>;

/** Reads a batch; undefined when the object is no OTLP log export. `object` gets each entry as plain attributes. */
export function readOtlp(
  batch: Json,
  sink: RecordSink,
  object: (attributes: Json, sink: RecordSink) => ReadOutcome,
): ReadOutcome | undefined {
  if (!Array.isArray(batch.resourceLogs) && !Array.isArray(batch.resource_logs)) return undefined;
  for (const resource of members(batch.resourceLogs ?? batch.resource_logs)) {
    for (const scope of members(resource.scopeLogs ?? resource.scope_logs)) {
      for (const record of members(scope.logRecords ?? scope.log_records)) {
        const outcome = object(flatRecord(record), sink);
        if (outcome !== 'pass') sink.reject(outcome === 'skip' || outcome === 'unrecognised' ? 'not_http' : outcome);
      }
    }
  }
  return 'pass';
}

function flatRecord(record: Json): Json {
  const flat: Json = {};
  const time = record.timeUnixNano ?? record.time_unix_nano;
  const observed = record.observedTimeUnixNano ?? record.observed_time_unix_nano;
  for (const attribute of members(record.attributes)) {
    const key = attribute.key;
    if (typeof key === 'string') flat[key] = plainValue(attribute.value);
  }
  // uint64: a string in proto3 JSON, a number where somebody else wrote it.
  if (time !== undefined && time !== '0') flat.start_time = time;
  else if (observed !== undefined) flat['@timestamp'] = observed;
  return flat;
}

function plainValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const v = value as Json;
  if (v.stringValue !== undefined) return v.stringValue;
  if (v.intValue !== undefined) return Number(v.intValue);
  if (v.doubleValue !== undefined) return v.doubleValue;
  if (v.boolValue !== undefined) return v.boolValue;
  const list = v.arrayValue;
  return typeof list === 'object' && list !== null ? members((list as Json).values).map(plainValue) : undefined;
}

function members(value: unknown): Json[] {
  if (!Array.isArray(value)) return [];
  return value.filter((v): v is Json => typeof v === 'object' && v !== null);
}
