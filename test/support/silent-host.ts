/** A host for commands run inside a test: no terminal, no signals, nothing printed. */
import type { Host } from '@picket/runtime/host.ts';

export function silentHost(cwd: string): Host {
  return {
    out: async () => {},
    err: () => {},
    env: {},
    random: () => 0.5,
    cwd,
    columns: 80,
    colour: false,
    onStop: () => () => {},
    setExitCode: () => {},
  };
}
