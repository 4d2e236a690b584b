/**
 * What a user's bundle grows by: each set of entries with its dependencies, bundled by rollup, minified by terser, gzipped
 * at level 9. Exits 1 over budget.
 */
import { gzipSync } from 'node:zlib';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import { rollup } from 'rollup';
import { minify } from 'terser';

const budgets = [
  { name: '.', entries: ['index'], bytes: 14 * 1024 },
  { name: '. + ./ddp', entries: ['index', 'ddp'], bytes: 24 * 1024 },
  { name: '. + ./meteor', entries: ['index', 'meteor'], bytes: 18 * 1024 },
];

async function bundle(entries: readonly string[], external: string[] = []): Promise<number> {
  const app = entries.map((entry) => `export * from './dist/${entry}.js';`).join('\n');
  const bundled = await rollup({
    input: 'app.js',
    external,
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
  const { code } = await minify(output[0].code, { module: true, ecma: 2020 });
  return gzipSync(code!, { level: 9 }).length;
}

const rows = [];
for (const { name, entries, bytes } of budgets) {
  const size = await bundle(entries);
  rows.push({
    entry: name,
    'min + gzip': size,
    'without ejson': await bundle(entries, ['ejson']),
    budget: bytes,
    ok: size <= bytes,
  });
}
console.table(rows);
if (!rows.every(({ ok }) => ok)) {
  console.error('over budget');
  process.exitCode = 1;
}
