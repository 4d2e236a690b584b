/**
 * Prints how much a user's bundle grows. Each set of entries is bundled with its dependencies by rollup, minified by terser, and
 * gzipped at level 9. A column for each dependency says what it adds. Exits with 1 over budget. A budget guards against accidents.
 * It never shortens a sentence, a name or an error text.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import { rollup } from 'rollup';
import { minify } from 'terser';

/** About 2 % above what the entries need today, with every error text as a sentence. */
const budgets = [
  { name: '.', entries: ['index'], bytes: 21 * 1024 },
  { name: '. + ./ddp', entries: ['index', 'ddp'], bytes: 33 * 1024 },
  { name: '. + ./meteor', entries: ['index', 'meteor'], bytes: 25 * 1024 },
];
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  dependencies: Record<string, string>;
};

/** Bytes of an app that uses these entries, with the `external` packages left out. */
async function sizeOf(entries: readonly string[], external: readonly string[] = []): Promise<number> {
  const app = entries.map((entry) => `export * from './dist/${entry}.js';`).join('\n');
  const bundled = await rollup({
    input: 'app.js',
    external: [...external],
    plugins: [
      {
        name: 'app',
        resolveId: (id) => (id === 'app.js' ? id : null),
        load: (id) => (id === 'app.js' ? app : null),
      },
      resolve({ browser: true }),
      commonjs(),
    ],
  });
  const { output } = await bundled.generate({ format: 'es' });
  // Without comments: bundlers put licences into a file of their own.
  const { code } = await minify(output[0].code, { module: true, ecma: 2020, format: { comments: false } });
  return gzipSync(code!, { level: 9 }).length;
}

const rows = [];
for (const { name, entries, bytes } of budgets) {
  const size = await sizeOf(entries);
  const costs: Record<string, number> = {};
  for (const dependency of Object.keys(dependencies))
    costs[dependency] = size - (await sizeOf(entries, [dependency]));
  rows.push({ entry: name, 'min + gzip': size, budget: bytes, ok: size <= bytes, ...costs });
}
console.table(rows);
if (!rows.every(({ ok }) => ok)) {
  console.error('An entry is over its budget. Find what has grown, or raise the budget with a reason.');
  process.exitCode = 1;
}
