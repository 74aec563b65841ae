import { expect, it } from 'vitest';
import type { UpdateList } from './fan-out.ts';
import type { Job } from './host.ts';
import { createHosts } from './hosts.ts';

it('refuses work once a worker thread has died, at once and every time', async () => {
  const hosts = createHosts(1, Number.POSITIVE_INFINITY);
  const broken = { words: undefined, length: 1 } as unknown as UpdateList;
  const job: Job = {
    u32: new Uint32Array(64),
    f64: new Float64Array(32),
    work: [{ partition: 0, list: broken, received: undefined }],
    snapshot: new Map(),
    at: 250,
    drain: false,
    sweep: false,
    ages: new Map(),
  };
  await expect(hosts.run(job)).rejects.toThrow(TypeError);
  await expect(hosts.run({ ...job, work: [] })).rejects.toThrow(TypeError);
  await expect(hosts.usage()).rejects.toThrow(TypeError);
  await hosts.close();
});
