/** Policies as a running Picket would compile them from a folder, without running one. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectSchemas } from '@picket/crds/validate.ts';
import { startOperator } from '@picket/operator/operator.ts';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { PicketError, toPicketError } from '@picket/runtime/errors.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { openFolderStore } from '@picket/runtime/objects/folder-store.ts';
import { formatProblem } from '@picket/runtime/objects/problem.ts';

export interface CompiledManifests {
  policies: CompiledPolicy[];
  /** One line each. */
  problems: string[];
  /** Some object is not in force as written. */
  broken: boolean;
}

/** Nothing is retried here, so nothing needs to be spread at random. */
const evenly = (): number => 0.5;

/** @throws PicketError NotFound, InvalidConfig when there is no such folder */
export async function compileManifests(folder: string, fleet: string): Promise<CompiledManifests> {
  await requireManifests(folder);
  const scratch = await mkdtemp(join(tmpdir(), 'picket-'));
  const closing: (() => Promise<void>)[] = [() => rm(scratch, { recursive: true, force: true })];
  try {
    const objects = await openFolderStore({
      folder,
      stateFile: join(scratch, 'objects.json'),
      schemas: objectSchemas,
      clock: systemClock,
      logger: silentLogger,
    });
    closing.push(() => objects.close());
    const operator = await startOperator({
      objects,
      bus: createMemoryBus(),
      clock: systemClock,
      log: silentLogger,
      random: evenly,
      listen: { host: '127.0.0.1', port: 0 },
      fleet,
    });
    closing.push(() => operator.close());
    const problems = objects.problems();
    return {
      policies: [...operator.policies().values()],
      problems: problems.map(formatProblem),
      broken: problems.some((p) => p.severity === 'Error'),
    };
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

/** @throws PicketError NotFound, InvalidConfig */
export async function requireManifests(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new PicketError('NotFound', `--manifests: there is no folder ${path}`);
    throw toPicketError(error, `--manifests ${path}`);
  });
  if (!found.isDirectory()) throw new PicketError('InvalidConfig', `--manifests: ${path} is not a folder`);
}
