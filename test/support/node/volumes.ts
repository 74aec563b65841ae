/** Volumes for claims: folders of the machine, made in advance, because nothing here makes them on demand. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';

const count = 8;
/** Nothing holds a volume to it; claims of charts ask for less. */
const capacity = '100Gi';

/** The default storage class, and volumes in `folder` that a pod on `node` may claim. */
export async function addVolumes(api: ApiServer, folder: string, node: string): Promise<void> {
  await api.request('POST', '/apis/storage.k8s.io/v1/storageclasses', {
    body: {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    },
  });
  for (let i = 0; i < count; i++) {
    const path = join(folder, `volume-${i}`);
    mkdirSync(path, { recursive: true });
    await api.request('POST', '/api/v1/persistentvolumes', {
      body: {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `volume-${i}` },
        spec: {
          capacity: { storage: capacity },
          accessModes: ['ReadWriteOnce'],
          persistentVolumeReclaimPolicy: 'Retain',
          storageClassName: 'local',
          local: { path },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
              ],
            },
          },
        },
      },
    });
  }
}
