/** The package bundled by webpack for a page, and run in one that has nothing of Node. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { consumerFile, createApp, describeConsumer, runNode, type App } from '../support/packed-package.ts';
import {
  cjsConsumer,
  esmConsumer,
  expectedResult,
  startServer,
  type ConsumerServer,
} from './consumer-code.ts';

/** Builds both consumers for production and prints what webpack has to say about them. */
const build = `
  const webpack = require(${JSON.stringify(consumerFile('webpack'))});
  const compiler = webpack({
    mode: 'production',
    target: 'web',
    context: __dirname,
    entry: { import: './esm.mjs', require: './cjs.cjs' },
    output: { library: { name: 'app', type: 'var' } },
    performance: false,
  });
  compiler.run((error, stats) => {
    if (error) throw error;
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    console.log(JSON.stringify([...errors, ...warnings].map(({ message }) => message)));
  });
`;

/** Runs a bundle with what a page has, and nothing of Node: no `process`, no `Buffer`, no `require`. */
async function runAsPage(code: string, url: string): Promise<unknown> {
  const page: Record<string, unknown> = {
    testWebSocket: WebSocket,
    testUrl: url,
    ...{
      AbortController,
      Blob,
      DOMException,
      Event,
      EventTarget,
      MessageEvent,
      TextDecoder,
      TextEncoder,
      URL,
    },
    ...{ clearInterval, clearTimeout, performance, queueMicrotask, setInterval, setTimeout },
  };
  await runInContext(`${code}\napp.done`, createContext(page));
  return page.testResult;
}

describeConsumer('webpack', () => {
  let app: App;
  let server: ConsumerServer;

  beforeAll(async () => {
    app = await createApp();
    server = await startServer();
  });

  afterAll(async () => {
    server?.close();
    await app?.remove();
  });

  it('bundles it without a complaint', async () => {
    await app.write('esm.mjs', esmConsumer);
    await app.write('cjs.cjs', cjsConsumer);
    await app.write('build.cjs', build);
    expect(JSON.parse(await runNode(app, ['build.cjs']))).toEqual([]);
  });

  it.each(['import', 'require'])('makes a bundle that works, from %s', async (how) => {
    const bundle = await readFile(join(app.folder, `dist/${how}.js`), 'utf8');
    expect(await runAsPage(bundle, server.url)).toBe(expectedResult);
  });
});
