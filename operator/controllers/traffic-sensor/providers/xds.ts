import type { Provider } from './providers.ts';

/** Envoys that fetch their filters from the operator itself, by a bootstrap that a person gave them. */
export const xds: Provider = {
  programmed({ fleet, connectedEnvoys, readyPods }) {
    const claim = { type: 'Programmed' as const };
    const total = Math.max(readyPods ?? 0, connectedEnvoys);
    if (connectedEnvoys === 0) {
      return {
        ...claim,
        status: 'False',
        reason: 'NoEnvoys',
        message: `no Envoy of fleet ${fleet} is connected: see what "picket envoy snippet --fleet ${fleet}" prints`,
      };
    }
    const message = `${connectedEnvoys} of ${total} Envoys of fleet ${fleet} are connected`;
    return connectedEnvoys < total
      ? { ...claim, status: 'False', reason: 'Pending', message }
      : { ...claim, status: 'True', reason: 'Connected', message };
  },
};
