/** Builds `dist` if it is missing, or older than the files it is made of. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMain, projectRoot, run } from './run.ts';

const madeOf = ['src', 'package.json', 'rollup.config.ts', 'tsconfig.json'];
/** Written by the build's last step, so that a build that failed half way does not count. */
const stamp = 'dist/index.d.cts';

async function newest(path: string): Promise<number> {
  const { mtimeMs } = await stat(path);
  if (!(await stat(path)).isDirectory()) return mtimeMs;
  const inside = await Promise.all((await readdir(path)).map((name) => newest(join(path, name))));
  return Math.max(mtimeMs, ...inside);
}

export async function ensureDist(): Promise<void> {
  const built = await stat(join(projectRoot, stamp)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const changed = Math.max(...(await Promise.all(madeOf.map((path) => newest(join(projectRoot, path))))));
  if (built > changed) return;
  console.log('Building the library. This takes about 20 s.');
  if ((await run('npm', ['run', '--silent', 'build'])) !== 0)
    throw new Error('The build failed. Its output above says why.');
}

if (isMain(import.meta.url)) await ensureDist();
