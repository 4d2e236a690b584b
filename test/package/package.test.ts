/** The package as a user gets it: packed, unpacked into an app's node_modules, imported in every way an app may. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rollup } from 'rollup';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import { build as vite } from 'vite';
import { WebSocketServer } from 'ws';
import { ensureDist } from '../../tools/dist.ts';
import { projectRoot } from '../../tools/run.ts';

const exec = promisify(execFile);

/** A DDP server that knows one method, `echo`, and one plain frame. */
function startServer(): Promise<{ url: string; close(): void }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.send('{"msg":"hello"}');
    socket.on('message', (data) => {
      const { msg, id, params } = JSON.parse(String(data)) as { msg: string; id: string; params: unknown[] };
      const answer = (frame: object): void => socket.send(JSON.stringify(frame));
      if (msg === 'connect') answer({ msg: 'connected', session: 's' });
      if (msg === 'method') {
        answer({ msg: 'result', id, result: params[0] });
        answer({ msg: 'updated', methods: [id] });
      }
    });
  });
  return new Promise((done) =>
    server.on('listening', () => {
      const { port } = server.address() as { port: number };
      done({
        url: `ws://127.0.0.1:${port}`,
        close() {
          for (const client of server.clients) client.terminate();
          server.close();
        },
      });
    }),
  );
}

/**
 * What each consumer does: a plain frame through one entry, an EJSON value through another, a look whether both have the same
 * core, and SockJS's two functions. The WebSocket class comes from outside, as Node 20 has none.
 */
const body = `
  const env = { WebSocket: globalThis.testWebSocket };
  const url = globalThis.testUrl;
  const plain = new core.FailoverWebSocket(url, [], { env });
  const frame = await new Promise((got) => plain.addEventListener('message', (e) => got(e.data), { once: true }));
  plain.close();
  const client = new ddp.DDPClient(url, { env });
  const sent = new Date(0);
  const echoed = await client.call('echo', sent);
  const sameCore = client.link instanceof core.FailoverWebSocket;
  client.close();
  const { origin } = new URL(sockjs.sockjsUrl('wss://example.org/sockjs'));
  const framed = typeof sockjs.sockjsWebSocket(env.WebSocket);
  const date = echoed instanceof Date && +echoed === 0;
  globalThis.testResult = JSON.stringify({ frame, date, sameCore, origin, framed });
`;
const expected = JSON.stringify({
  frame: '{"msg":"hello"}',
  date: true,
  sameCore: true,
  origin: 'wss://example.org',
  framed: 'function',
});

const esm = `
  import * as core from 'failover-websocket';
  import * as ddp from 'failover-websocket/ddp';
  import * as sockjs from 'failover-websocket/sockjs';
  export const done = (async () => { ${body} })();
`;
const cjs = `
  const core = require('failover-websocket');
  const ddp = require('failover-websocket/ddp');
  const sockjs = require('failover-websocket/sockjs');
  module.exports.done = (async () => { ${body} })();
`;

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

let app: string;
let server: Awaited<ReturnType<typeof startServer>>;
let files: string[];

beforeAll(async () => {
  await ensureDist();
  app = await mkdtemp(join(tmpdir(), 'failover-websocket-'));
  const { stdout } = await exec('npm', ['pack', '--json', '--pack-destination', app], { cwd: projectRoot });
  const [pack] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  files = pack.files.map(({ path }) => path);
  const home = join(app, 'node_modules/failover-websocket');
  await mkdir(home, { recursive: true });
  await exec('tar', ['xf', join(app, pack.filename), '-C', home, '--strip-components', '1']);
  const manifest = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(manifest.dependencies), 'ws'])
    await symlink(join(projectRoot, 'node_modules', name), join(app, 'node_modules', name));
  server = await startServer();
  await writeFile(
    join(app, 'run.cjs'),
    `
      globalThis.testWebSocket = require('ws').WebSocket;
      globalThis.testUrl = ${JSON.stringify(server.url)};
      import(process.argv[2])
        .then((m) => m.done ?? m.default.done)
        .then(() => console.log(globalThis.testResult));
    `,
  );
});

afterAll(async () => {
  server?.close();
  if (app) await rm(app, { recursive: true });
});

async function result(name: string, text?: string): Promise<string> {
  const file = join(app, name);
  if (text !== undefined) await writeFile(file, text);
  const { stdout } = await exec(process.execPath, [join(app, 'run.cjs'), file], { timeout: 20_000 });
  return stdout.trim();
}

describe('the package', () => {
  it('holds what users need and nothing else', async () => {
    // All pages but the home page of the site.
    const pages = (await readdir(join(projectRoot, 'docs'))).filter((name) => /(?<!^index)\.md$/.test(name));
    const others = files.filter((path) => !path.startsWith('dist/'));
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
    expect(files).toContain('dist/failover-websocket.global.js');
  });

  it('works in Node as an ES module', async () => {
    expect(await result('node.mjs', esm)).toBe(expected);
  });

  it('works in Node by require', async () => {
    expect(await result('node.cjs', cjs)).toBe(expected);
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
    expect((await read('server.js')).match(/(?<=from ["'])[^"']+/g)).toEqual(['node:os', 'node:util']);
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
    ['import', esm, 'esm', 'esbuild.mjs'],
    ['require', cjs, 'cjs', 'esbuild.cjs'],
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
    expect(await result(file)).toBe(expected);
  });

  it('works bundled by rollup', async () => {
    await writeFile(join(app, 'rollup-in.mjs'), esm);
    const bundle = await rollup({
      input: join(app, 'rollup-in.mjs'),
      plugins: [resolve({ browser: true, preferBuiltins: false }), commonjs()],
      onwarn(warning) {
        throw new Error(warning.message);
      },
    });
    await bundle.write({ file: join(app, 'rollup-out.mjs'), format: 'es' });
    expect(await result('rollup-out.mjs')).toBe(expected);
  });

  it('works bundled by vite', async () => {
    await writeFile(join(app, 'vite-in.js'), esm);
    await vite({
      root: app,
      configFile: false,
      logLevel: 'error',
      build: {
        outDir: 'vite',
        lib: { entry: 'vite-in.js', formats: ['es'], fileName: () => 'out.mjs' },
      },
    });
    expect(await result('vite/out.mjs')).toBe(expected);
  });
});
