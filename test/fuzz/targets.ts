/** Parsers by name, each in its own module, so that one alone loads nothing of the others. */
import type { FuzzTarget } from './fuzz.ts';

const known = {
  als: { share: 0.28, open: async () => (await import('./targets/als.ts')).alsTarget() },
  stats: { share: 0.02, open: async () => (await import('./targets/stats.ts')).statsTarget() },
  identify: { share: 0.1, open: async () => (await import('./targets/identify.ts')).identifyTarget() },
  jwt: { share: 0.2, open: async () => (await import('./targets/jwt.ts')).jwtTarget() },
  logs: { share: 0.15, open: async () => (await import('./targets/logs.ts')).logsTarget() },
  otlp: { share: 0.05, open: async () => (await import('./targets/logs.ts')).otlpTarget() },
  har: { share: 0.05, open: async () => (await import('./targets/logs.ts')).harTarget() },
  yaml: { share: 0.02, open: async () => (await import('./targets/yaml.ts')).yamlTarget() },
  lists: { share: 0.05, open: async () => (await import('./targets/lists.ts')).listsTarget() },
  checkpoint: { share: 0.02, open: async () => (await import('./targets/checkpoint.ts')).checkpointTarget() },
  xds: { share: 0.04, open: async () => (await import('./targets/xds.ts')).xdsTarget() },
  bus: { share: 0.015, open: async () => (await import('./targets/bus.ts')).busTarget() },
  admin: { share: 0.005, open: async () => (await import('./targets/admin.ts')).adminTarget() },
} as const satisfies Record<string, { share: number; open(): Promise<FuzzTarget> }>;

export const targetNames: readonly string[] = Object.keys(known);

/** Part of a long run: much where an input costs microseconds, little where it costs a request. */
export function shareOf(name: string): number {
  return known[name as keyof typeof known].share;
}

export function targets(name: string): Promise<FuzzTarget> {
  return known[name as keyof typeof known].open();
}
