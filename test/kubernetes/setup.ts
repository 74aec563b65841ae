/** One API server for the whole suite, with our definitions installed; tests keep to namespaces of their own. */
import { installDefinitions, kubernetesMissing, type Kubernetes, startKubernetes } from '../support/kubernetes.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Why there is no API server; "" = there is one. */
    missing: string;
    kubeconfig: string;
  }
}

interface Provider {
  provide(key: 'missing' | 'kubeconfig', value: string): void;
}

export async function setup({ provide }: Provider): Promise<() => Promise<void>> {
  const missing = kubernetesMissing();
  provide('missing', missing ?? '');
  if (missing !== undefined) {
    provide('kubeconfig', '');
    return async () => {};
  }
  const kubernetes: Kubernetes = await startKubernetes({
    controllers: kubernetesMissing({ controllers: true }) === undefined,
  });
  await installDefinitions(kubernetes.kubeconfig);
  provide('kubeconfig', kubernetes.kubeconfig);
  return () => kubernetes.stop();
}
