/** A process that opens a store and says which process its engine is, to be killed by a test. */
import { openEmbeddedStore } from '@picket/analyzer/store/embedded-store.ts';

const store = await openEmbeddedStore({
  dataDir: process.argv[2] as string,
  log: { info() {}, warn() {}, error() {} },
});
process.send?.(store.engine().pid);
