import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import type { OutputOptions, Plugin, RollupOptions } from 'rollup';
import dts from 'rollup-plugin-dts';
import esbuild, { minify } from 'rollup-plugin-esbuild';

interface Manifest {
  version: string;
  dependencies: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as Manifest;
const dependencies = Object.keys(manifest.dependencies);
const require = createRequire(import.meta.url);

const target = 'es2022';
const input = {
  index: 'src/index.ts',
  ddp: 'src/ddp/index.ts',
  meteor: 'src/meteor/index.ts',
  sockjs: 'src/sockjs/index.ts',
  server: 'src/server/index.ts',
};

/** All pages' entries share one core, so that a class is the same whichever entry it is imported from. */
const shared = (format: 'es' | 'cjs', extension: string): OutputOptions => ({
  dir: 'dist',
  format,
  entryFileNames: `[name]${extension}`,
  chunkFileNames: `[name]${extension}`,
  manualChunks: (id) => /\/src\/(core|shared)\//.exec(id)?.[1],
  minifyInternalExports: false,
  sourcemap: !extension.startsWith('.d'),
  // The dependencies are CommonJS to Node and ES modules to some bundlers: their default export is found in either form.
  interop: 'auto',
});

const clean: Plugin = { name: 'clean', buildStart: () => rmSync('dist', { recursive: true, force: true }) };

/** The licences of the libraries inside the script-tag file, whole, beside it. */
const licences: Plugin = {
  name: 'licences',
  generateBundle() {
    const texts = dependencies.map((name) => {
      const text = readFileSync(join(dirname(require.resolve(`${name}/package.json`)), 'LICENSE'), 'utf8');
      return `${name}\n\n${text}`;
    });
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: texts.join('\n\n') });
  },
};

const config: RollupOptions[] = [
  {
    // For npm: readable, and the dependencies stay outside.
    input,
    external: dependencies,
    plugins: [clean, esbuild({ target })],
    output: [shared('es', '.js'), shared('cjs', '.cjs')],
  },
  {
    // For a script tag: one file with everything in it, minified.
    input: 'src/script.ts',
    plugins: [resolve({ browser: true }), commonjs(), esbuild({ target }), licences],
    output: {
      file: 'dist/failover-websocket.global.js',
      format: 'iife',
      name: 'failover',
      sourcemap: true,
      banner: `/*! failover-websocket ${manifest.version} | MIT | with ${dependencies.join(', ')} (MIT) */`,
      plugins: [minify({ target, legalComments: 'inline' })],
    },
  },
  {
    input,
    external: dependencies,
    plugins: [dts()],
    output: [shared('es', '.d.ts'), shared('es', '.d.cts')],
  },
];

export default config;
