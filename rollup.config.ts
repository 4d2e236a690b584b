import { readFileSync, rmSync } from 'node:fs';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import type { OutputOptions, RollupOptions } from 'rollup';
import dts from 'rollup-plugin-dts';
import esbuild, { minify } from 'rollup-plugin-esbuild';

interface Manifest {
  version: string;
  dependencies: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as Manifest;
const dependencies = Object.keys(manifest.dependencies);

const target = 'es2022';
const input = { index: 'src/index.ts', ddp: 'src/ddp/index.ts' };

/** All entries share one core, so that a class is the same whichever entry it was imported from. */
function output(format: 'es' | 'cjs', extension: string): OutputOptions {
  return {
    dir: 'dist',
    format,
    entryFileNames: `[name]${extension}`,
    chunkFileNames: `[name]${extension}`,
    manualChunks: (id) => (id.includes('/src/core/') ? 'core' : undefined),
    minifyInternalExports: false,
    sourcemap: !extension.startsWith('.d'),
    // The dependencies are CommonJS for Node and ES modules for bundlers, which may also resolve them so for a require().
    interop: 'auto',
  };
}

const config: RollupOptions[] = [
  {
    input,
    external: dependencies,
    plugins: [
      { name: 'clean', buildStart: () => rmSync('dist', { recursive: true, force: true }) },
      esbuild({ target }),
    ],
    output: [output('es', '.js'), output('cjs', '.cjs')],
  },
  {
    input: 'src/script.ts',
    plugins: [resolve({ browser: true }), commonjs(), esbuild({ target })],
    output: {
      file: 'dist/failover-websocket.global.js',
      format: 'iife',
      name: 'failover',
      sourcemap: true,
      plugins: [minify({ target })],
      banner: `/*! failover-websocket ${manifest.version} | MIT | with ${dependencies.join(', ')} (MIT) */`,
    },
  },
  {
    input,
    external: dependencies,
    plugins: [dts()],
    output: [output('es', '.d.ts'), output('es', '.d.cts')],
  },
];

export default config;
