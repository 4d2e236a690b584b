/** The package as a user gets it: packed, unpacked into an app's node_modules, imported in every way an app may. */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rollup } from 'rollup';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import ts from 'typescript';
import { build as vite } from 'vite';
import { projectRoot } from '../../tools/run.ts';
import { createApp, packedFiles, runNode, type App } from '../support/packed-package.ts';
import {
  cjsConsumer,
  esmConsumer,
  expectedResult,
  runConsumer,
  startServer,
  type ConsumerServer,
} from './consumer-code.ts';

/** What a node does: says who it is, drains, and closes its server. */
const node = `
  const { createServer } = require('node:http');
  const { WebSocketServer, WebSocket } = require('ws');
  const http = createServer();
  const clients = new WebSocketServer({ server: http });
  companion.nodeIdentity({ id: 'n1', clients });
  const leaving = companion.drain(http, { clients, afterMs: 60_000, signals: [], exit: false });
  await new Promise((done) => http.listen(0, '127.0.0.1', done));
  const socket = new WebSocket('ws://127.0.0.1:' + http.address().port);
  const told = [];
  socket.on('message', (data) => {
    told.push(JSON.parse(data).msg);
    if (told.length === 1) leaving.start();
    else socket.close();
  });
  await new Promise((done) => socket.on('close', done));
  await leaving.start();
  globalThis.testResult = JSON.stringify({ told, listening: http.listening });
`;
const expectedOfNode = JSON.stringify({ told: ['node', 'drain'], listening: false });
const nodeEsm = `
  import { createRequire } from 'node:module';
  import * as companion from 'failover-websocket/server';
  const require = createRequire(import.meta.url);
  export const done = (async () => { ${node} })();
`;
const nodeCjs = `
  const companion = require('failover-websocket/server');
  module.exports.done = (async () => { ${node} })();
`;

let consumer: App;
let app: string;
let server: ConsumerServer;

beforeAll(async () => {
  consumer = await createApp({ packages: ['ws'] });
  app = consumer.folder;
  server = await startServer();
  await consumer.write('run.cjs', runConsumer(server.url));
});

afterAll(async () => {
  server?.close();
  await consumer?.remove();
});

async function result(name: string, text?: string): Promise<string> {
  if (text !== undefined) await consumer.write(name, text);
  return runNode(consumer, ['run.cjs', join(app, name)]);
}

describe('the package', () => {
  it('holds what users need and nothing else', async () => {
    const pages = (await readdir(join(projectRoot, 'docs'))).filter((name) => /(?<!^index)\.md$/.test(name));
    const others = packedFiles.filter((path) => !path.startsWith('dist/'));
    expect(others.sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'ddp/package.json',
      ...[...pages, 'herds/gateway-load.svg', 'herds/gateway-served.svg']
        .map((name) => `docs/${name}`)
        .sort(),
      'meteor/package.json',
      'package.json',
      'server/package.json',
      'sockjs/package.json',
    ]);
    expect(packedFiles).toContain('dist/failover-websocket.global.js');
  });

  it('works in Node as an ES module', async () => {
    expect(await result('node.mjs', esmConsumer)).toBe(expectedResult);
  });

  it('works in Node by require', async () => {
    expect(await result('node.cjs', cjsConsumer)).toBe(expectedResult);
  });

  it.each([
    ['an ES module', nodeEsm, 'companion.mjs'],
    ['by require', nodeCjs, 'companion.cjs'],
  ])('has a companion for servers as %s', async (_, text, file) => {
    expect(await result(file, text)).toBe(expectedOfNode);
  });

  it('keeps companion and page apart', async () => {
    const read = (name: string): Promise<string> =>
      readFile(join(app, 'node_modules/failover-websocket/dist', name), 'utf8');
    const importsOf = async (name: string): Promise<string[]> =>
      ts.preProcessFile(await read(name)).importedFiles.map(({ fileName }) => fileName);
    expect(await importsOf('server.js')).toEqual(['./shared.js', 'node:os']);
    expect(await importsOf('shared.js')).toEqual([]);
    expect(await read('failover-websocket.global.js')).not.toMatch(/service restart/i);
  });

  it.each(['ddp', 'meteor', 'server', 'sockjs'])(
    'is found by what knows no `exports`, as Meteor’s bundler: %s',
    async (entry) => {
      const home = join(app, 'node_modules/failover-websocket');
      const require = createRequire(join(app, 'any.cjs'));
      // A path that names a folder is resolved by its package.json, without the package's `exports`.
      expect(require(join(home, entry))).toBe(require(`failover-websocket/${entry}`));
      const { module, types } = JSON.parse(await readFile(join(home, entry, 'package.json'), 'utf8')) as {
        module: string;
        types: string;
      };
      expect(await realpath(join(home, entry, module))).toBe(await realpath(join(home, `dist/${entry}.js`)));
      expect(await readFile(join(home, entry, types), 'utf8')).toMatch(/export/);
    },
  );

  it.each([
    ['import', esmConsumer, 'esm', 'esbuild.mjs'],
    ['require', cjsConsumer, 'cjs', 'esbuild.cjs'],
  ] as const)('works bundled by esbuild from %s', async (_, contents, format, file) => {
    await build({
      stdin: { contents, resolveDir: app },
      bundle: true,
      // As for a page: the dependencies' `browser` and `module` fields count.
      platform: 'browser',
      format,
      outfile: join(app, file),
      logLevel: 'error',
    });
    expect(await result(file)).toBe(expectedResult);
  });

  it('works bundled by rollup', async () => {
    await consumer.write('rollup-in.mjs', esmConsumer);
    const bundle = await rollup({
      input: join(app, 'rollup-in.mjs'),
      plugins: [resolve({ browser: true, preferBuiltins: false }), commonjs()],
      onwarn(warning) {
        throw new Error(warning.message);
      },
    });
    await bundle.write({ file: join(app, 'rollup-out.mjs'), format: 'es' });
    expect(await result('rollup-out.mjs')).toBe(expectedResult);
  });

  it('works bundled by vite', async () => {
    await consumer.write('vite-in.js', esmConsumer);
    await vite({
      root: app,
      configFile: false,
      logLevel: 'error',
      build: {
        outDir: 'vite',
        lib: { entry: 'vite-in.js', formats: ['es'], fileName: () => 'out.mjs' },
      },
    });
    expect(await result('vite/out.mjs')).toBe(expectedResult);
  });
});
