/** The programs that run as child processes, bundled to plain JavaScript before their first start. */
import { createHash } from 'node:crypto';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { projectRoot } from '../../tools/run.ts';

const entryPoints = {
  node: 'demo/node/main.ts',
  store: 'demo/store/main.ts',
  gateway: 'demo/net/gateway.ts',
  balancer: 'demo/net/balancer.ts',
};
export type Program = keyof typeof entryPoints;

let bundles: Promise<Record<Program, string>> | undefined;

/**
 * The file to run for a program. All programs are bundled at the first call: loading a TypeScript hook in every child would
 * more than double the time a node needs to restart.
 */
export async function programFile(program: Program): Promise<string> {
  bundles ??= bundlePrograms();
  return (await bundles)[program];
}

async function bundlePrograms(): Promise<Record<Program, string>> {
  const outdir = join(projectRoot, '.cache/demo');
  const { outputFiles } = await build({
    absWorkingDir: projectRoot,
    entryPoints,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
  });
  await mkdir(outdir, { recursive: true });
  const files = await Promise.all(
    outputFiles.map(async ({ path, contents }) => {
      const program = basename(path, '.mjs');
      const hash = createHash('sha1').update(contents).digest('hex').slice(0, 12);
      const file = join(outdir, `${program}-${hash}.mjs`);
      await writeOnce(file, contents);
      return [program, file] as const;
    }),
  );
  return Object.fromEntries(files) as Record<Program, string>;
}

/** Writes a file whose name says its content. The rename keeps clusters that start at the same time apart. */
async function writeOnce(file: string, contents: Uint8Array): Promise<void> {
  if (await exists(file)) return;
  await writeFile(`${file}.${process.pid}`, contents);
  await rename(`${file}.${process.pid}`, file);
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
