/** What a user's bundle grows by: each set of entries with its dependencies, minified, gzipped at level 9. Exits 1 over budget. */
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { projectRoot } from './run.ts';

const budgets = [
  { name: '.', entries: ['index'], bytes: 12 * 1024 },
  { name: '. + ./ddp', entries: ['index', 'ddp'], bytes: 21 * 1024 },
];

async function bundle(entries: readonly string[], external: string[] = []): Promise<number> {
  const contents = entries.map((entry, i) => `export * as e${i} from './dist/${entry}.js';`).join('\n');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: projectRoot },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    external,
    logLevel: 'error',
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

const rows = await Promise.all(
  budgets.map(async ({ name, entries, bytes }) => {
    const size = await bundle(entries);
    const own = await bundle(entries, ['ejson', 'eventemitter3', 'reconnecting-websocket']);
    return { entry: name, 'min + gzip': size, 'without dependencies': own, budget: bytes, ok: size <= bytes };
  }),
);
console.table(rows);
if (!rows.every(({ ok }) => ok)) {
  console.error('over budget');
  process.exitCode = 1;
}
