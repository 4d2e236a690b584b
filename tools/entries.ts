/**
 * A folder for each entry beside `.`, with a package.json that points into `dist`: for what knows no `exports`, Meteor's bundler
 * above all, and TypeScript's old module resolution. They exist in the package only: `write` before it is packed, `remove` after.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from './run.ts';

const { exports } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { import: object }>;
};

for (const [entry, target] of Object.entries(exports)) {
  const name = entry.slice('./'.length);
  if (name === '' || typeof target === 'string') continue;
  const folder = join(projectRoot, name);
  if (process.argv[2] === 'remove') {
    await rm(folder, { recursive: true });
    continue;
  }
  await mkdir(folder, { recursive: true });
  const file = (ending: string) => `../dist/${name}.${ending}`;
  const manifest = { main: file('cjs'), module: file('js'), types: file('d.ts'), sideEffects: false };
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
