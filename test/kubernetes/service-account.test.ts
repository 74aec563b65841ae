/** The credentials of a pod, which Kubernetes replaces while it runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, connectApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { loadKubeConfig } from '@picket/runtime/objects/kubernetes/kube-config.ts';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { adminApi, createNamespace } from '../support/kubernetes.ts';
import { waitFor } from '../support/processes.ts';

const missing = inject('missing');
const namespace = 'service-account';
const credentialId = 'authentication.kubernetes.io/credential-id';

describe.skipIf(missing !== '')(missing || 'a ServiceAccount', () => {
  let folder: string;
  let admin: ApiServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-account-'));
    admin = adminApi(inject('kubeconfig'));
    await createNamespace(admin, namespace);
    await admin.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'picket' } },
    });
  });
  afterAll(() => {
    vi.useRealTimers();
    admin?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A token that ends with a Secret, as that of a pod ends with the pod. */
  async function mountToken(secret: string): Promise<void> {
    const { metadata } = await admin.request<{ metadata: { uid: string } }>(
      'POST',
      `/api/v1/namespaces/${namespace}/secrets`,
      { body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret } } },
    );
    const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: secret, uid: metadata.uid };
    const { status } = await admin.request<{ status: { token: string } }>(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/picket/token`,
      { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { boundObjectRef } } },
    );
    writeFileSync(join(folder, 'token'), status.token);
  }

  test('whose token is replaced goes on with the new one when the old one is worth nothing any more', async () => {
    // A token that was read is kept for a minute: time stands still until the test lets it go on.
    vi.useFakeTimers({ toFake: ['Date'] });
    const cluster = loadKubeConfig({ kubeconfig: inject('kubeconfig') }).getCurrentCluster();
    // What client-node makes of a pod's mounted files, which lie in the root of the file system.
    const user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile: join(folder, 'token') } } };
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        clusters: [
          { name: 'pod', cluster: { server: cluster?.server, 'certificate-authority-data': cluster?.caData } },
        ],
        users: [{ name: 'pod', user }],
        contexts: [{ name: 'pod', context: { cluster: 'pod', user: 'pod' } }],
        'current-context': 'pod',
      }),
    );
    await mountToken('first');
    const api = connectApiServer({
      config: loadKubeConfig({ kubeconfig }),
      userAgent: 'picket-test',
      random: () => 0.5,
    });
    /** Which token it came with. */
    const credential = async (): Promise<string | undefined> => {
      const { status } = await api.request<{ status: { userInfo: { extra: Record<string, string[]> } } }>(
        'POST',
        '/apis/authentication.k8s.io/v1/selfsubjectreviews',
        { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' } },
      );
      return status.userInfo.extra[credentialId]?.[0];
    };
    try {
      const first = await credential();
      expect(first).toMatch(/^JTI=/);
      await mountToken('second');
      await admin.request('DELETE', `/api/v1/namespaces/${namespace}/secrets/first`);
      // The API server remembers it for some seconds.
      await waitFor('the end of the first token', () =>
        credential().then(
          () => undefined,
          (error: { code: string }) => expect(error.code).toBe('PermissionDenied') ?? true,
        ),
      );
      vi.setSystemTime(Date.now() + 61_000);
      const second = await credential();
      expect(second).toMatch(/^JTI=/);
      expect(second).not.toBe(first);
    } finally {
      api.close();
    }
  });
});
