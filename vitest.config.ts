import { defineConfig } from 'vitest/config';

const rooms = [
  'proto',
  'crds',
  'runtime',
  'operator',
  'analyzer',
  'charts',
  'kubectl-risk',
  'standalone',
  'test/support',
  'test/demo',
  'test/scenarios',
  'test/accuracy',
  'test/bench',
];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: rooms.map((room) => `${room}/**/*.test.ts`),
          exclude: ['**/node_modules/**'],
          // Modules hold no state, so files share them: 40 % less work than a fresh set for each.
          isolate: false,
          // What takes a second here takes ten beside other work: only what hangs should fail.
          testTimeout: 60_000,
        },
      },
      ...(['integration', 'invariants', 'e2e', 'kubernetes', 'providers'] as const).map((name) => ({
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          // Two suites share two cores, with builds beside them: only what hangs should fail.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 90_000 } },
          fileParallelism: false,
          ...(name === 'kubernetes' ? { globalSetup: ['test/kubernetes/setup.ts'] } : {}),
        },
      })),
    ],
  },
});
