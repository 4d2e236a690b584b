/** An app of Next.js: its server imports the package without effect, its page has a link. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { find } from '../../tools/setup.ts';
import { launch, openPage } from '../support/browser/browsers.ts';
import { consumerHome } from '../support/consumers.ts';
import {
  appEnv,
  consumerFile,
  createApp,
  describeConsumer,
  runNode,
  type App,
} from '../support/packed-package.ts';
import { startServer, type ConsumerServer } from './consumer-code.ts';

const next = consumerFile('next/dist/bin/next');
const env = {
  NEXT_TELEMETRY_DISABLED: '1',
  // The app has no lockfile of its own to be completed.
  NEXT_IGNORE_INCORRECT_LOCKFILE: '1',
  NODE_ENV: 'production',
};

const timeout = 180_000;
const missingBrowser = (await find('chromium')) === undefined;

/** What the page shows in an element, with React's escapes undone. */
const shown = (html: string, id: string): unknown => {
  const text = new RegExp(`<pre id="${id}">(.*?)</pre>`).exec(html)?.[1] ?? 'null';
  return JSON.parse(text.replaceAll('&quot;', '"'));
};

/** Where the server listens, as it says itself. */
async function addressOf(server: ChildProcess): Promise<string> {
  for await (const line of createInterface(server.stdout!)) {
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (address === undefined) continue;
    // What else it prints must not fill the pipe.
    server.stdout!.resume();
    return address;
  }
  throw new Error('next start has ended without listening');
}

describeConsumer('Next.js', () => {
  let app: App;
  let sockets: ConsumerServer;
  let server: ChildProcess | undefined;
  let built: string;
  let page: string;

  beforeAll(async () => {
    sockets = await startServer();
    // Turbopack refuses what leads out of its root, which has to hold Next.js too.
    app = await createApp({ sources: 'next', parent: join(consumerHome, 'apps') });
    built = await runNode(app, [next, 'build'], { env, timeoutMs: timeout });
    server = spawn(process.execPath, [next, 'start', '--hostname', '127.0.0.1', '--port', '0'], {
      cwd: app.folder,
      env: appEnv(env),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const address = await addressOf(server);
    page = `${address}/?url=${encodeURIComponent(sockets.url)}`;
  }, timeout);

  afterAll(async () => {
    if (server?.exitCode === null) {
      server.kill();
      await once(server, 'exit');
    }
    sockets?.close();
    await app?.remove();
  });

  it('builds the app', () => {
    expect(built).toContain('Compiled successfully');
    expect(built).not.toMatch(/warn/i);
  });

  it('renders on the server, where imports have no effect', async () => {
    const response = await fetch(page);
    expect(response.status).toBe(200);
    const html = await response.text();
    expect(shown(html, 'server')).toEqual({
      classes: ['function', 'function'],
      policies: ['fast', 'balanced', 'frugal'],
      effects: [],
    });
    expect(shown(html, 'client')).toEqual({ effects: [], state: 'connecting', frame: 'none', echo: 'none' });
  });

  describe.skipIf(missingBrowser)(`in Chromium${missingBrowser ? ' (missing)' : ''}`, () => {
    let browser: Browser;

    beforeAll(async () => {
      browser = await launch('chromium');
    });
    afterAll(() => browser?.close());

    it('links the page in an effect', async () => {
      const { page: tab } = await openPage(browser);
      const problems: string[] = [];
      tab.on('pageerror', (error) => problems.push(String(error)));
      tab.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warn') problems.push(message.text());
      });
      await tab.goto(page);
      const wanted = { effects: [], state: 'online', frame: '{"msg":"hello"}', echo: 'hi' };
      await tab.waitForFunction(
        (text) => document.querySelector('#client')?.textContent === text,
        { timeout: 20_000 },
        JSON.stringify(wanted),
      );
      expect(problems).toEqual([]);
    });
  });
});
