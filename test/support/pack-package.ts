/** Packs the package once per run of the package suite; `packed-package.ts` makes apps of it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { ensureDist } from '../../tools/dist.ts';
import { projectRoot } from '../../tools/run.ts';

export interface PackedPackage {
  /** The folder it is unpacked in. */
  readonly home: string;
  /** Paths of everything in it. */
  readonly files: readonly string[];
}

declare module 'vitest' {
  interface ProvidedContext {
    packedPackage: PackedPackage;
  }
}

const execute = promisify(execFile);

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await ensureDist();
  const folder = await mkdtemp(join(tmpdir(), 'failover-websocket-packed-'));
  const { stdout } = await execute('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: projectRoot,
  });
  const [pack] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const home = join(folder, 'package');
  await mkdir(home);
  await execute('tar', ['xf', join(folder, pack.filename), '-C', home, '--strip-components', '1']);
  project.provide('packedPackage', { home, files: pack.files.map(({ path }) => path) });
  return () => rm(folder, { recursive: true });
}
