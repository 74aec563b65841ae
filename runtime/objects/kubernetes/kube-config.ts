/** Which API server, and as whom: the pod's service account, or a kubeconfig as kubectl reads it. */
import { KubeConfig } from '@kubernetes/client-node';
import { PicketError } from '../../errors.ts';

export interface KubeConfigOptions {
  /** Left out: KUBECONFIG, ~/.kube/config, then the pod's service account. */
  kubeconfig?: string | undefined;
  /** Left out: the current one. */
  context?: string | undefined;
}

/** @throws PicketError InvalidConfig that names the flag to mend */
export function loadKubeConfig({ kubeconfig, context }: KubeConfigOptions): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    throw new PicketError(
      'InvalidConfig',
      `--kubeconfig: ${kubeconfig ?? 'default'} cannot be read: ${String(error)}`,
      {
        cause: error,
      },
    );
  }
  if (context !== undefined) {
    if (!config.getContextObject(context)) {
      const known = config.getContexts().map(({ name }) => name);
      throw new PicketError('InvalidConfig', `--context: there is no context "${context}"; known: ${known.join(', ')}`);
    }
    config.setCurrentContext(context);
  }
  return config;
}
