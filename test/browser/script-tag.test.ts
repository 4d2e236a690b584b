/** The script tag by itself: its global under a strict content security policy, and what is left after `close()`. */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster } from '../../demo/cluster.ts';
import type { DDPClient } from '../../src/ddp/index.ts';
import type { FailoverWebSocket } from '../../src/index.ts';
import { ensureDist } from '../../tools/dist.ts';
import { find } from '../../tools/setup.ts';
import { browserNames, launch, openPage } from '../support/browser/browsers.ts';
import { TodoPage } from '../support/browser/todo-page.ts';

declare global {
  interface Window {
    failover: { FailoverWebSocket: typeof FailoverWebSocket; DDPClient: typeof DDPClient };
    /** What the page holds on to: filled by `keepCount`. */
    held: { sockets: WebSocket[]; timers: Set<unknown>; listeners: Set<string>; workers: number };
  }
}

/** Runs in the page before any other script: counts what could be left behind. */
function keepCount(): void {
  const held: Window['held'] = (window.held = {
    sockets: [],
    timers: new Set(),
    listeners: new Set(),
    workers: 0,
  });
  window.WebSocket = class extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      held.sockets.push(this);
    }
  };
  const { setTimeout: set, clearTimeout: clear, setInterval: repeat, clearInterval: stop } = window;
  const timers = held.timers;
  Object.assign(window, {
    setTimeout(fn: () => void, ms: number) {
      const timer = set(() => {
        timers.delete(timer);
        fn();
      }, ms);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer: number) {
      timers.delete(timer);
      clear(timer);
    },
    setInterval(fn: () => void, ms: number) {
      const timer = repeat(fn, ms);
      timers.add(timer);
      return timer;
    },
    clearInterval(timer: number) {
      timers.delete(timer);
      stop(timer);
    },
  });
  const ids = new WeakMap<object, number>();
  let count = 0;
  for (const target of [window, document]) {
    const { addEventListener: add, removeEventListener: remove } = target as EventTarget;
    const key = (type: string, listener: object): string => {
      if (!ids.has(listener)) ids.set(listener, ++count);
      return `${type} ${ids.get(listener)}`;
    };
    Object.assign(target, {
      addEventListener(type: string, listener: EventListener, options?: AddEventListenerOptions) {
        held.listeners.add(key(type, listener));
        add.call(target, type, listener, options);
      },
      removeEventListener(type: string, listener: EventListener, options?: EventListenerOptions) {
        held.listeners.delete(key(type, listener));
        remove.call(target, type, listener, options);
      },
    });
  }
  if (window.Worker) {
    window.Worker = class extends Worker {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        held.workers++;
      }
      override terminate(): void {
        held.workers--;
        super.terminate();
      }
    };
  }
}

for (const name of browserNames) {
  const missing = (await find(name)) === undefined;
  describe.skipIf(missing)(`${name}${missing ? ' (missing)' : ''}: the script tag`, () => {
    let cluster: Cluster;
    let browser: Browser;

    beforeAll(async () => {
      await ensureDist();
      [cluster, browser] = await Promise.all([startCluster(), launch(name)]);
    });
    afterAll(() => Promise.all([browser?.close(), cluster?.stop()]));
    afterEach(() => cluster.reset());

    it('works under a strict content security policy', async () => {
      const todo = await TodoPage.open(browser, cluster.url);
      const policy = await todo.page.evaluate(async () =>
        (await fetch('/')).headers.get('content-security-policy'),
      );
      expect(policy).toContain(`default-src 'self'`);
      expect(policy).not.toContain('unsafe');
      const frame = await todo.page.evaluate(
        () =>
          new Promise((resolve) => {
            const socket = new window.failover.FailoverWebSocket('/ws/{attempt}');
            socket.addEventListener('message', ({ data }) => {
              socket.close();
              resolve(data);
            });
          }),
      );
      expect(JSON.parse(String(frame))).toMatchObject({ msg: 'node' });
      expect(await todo.page.evaluate(() => window.violations)).toEqual([]);
      expect(todo.problems).toEqual([]);
      await todo.close();
    });

    /** A page of the cluster's origin with nothing in it but the library. */
    async function openLibrary(): Promise<Page> {
      const { page } = await openPage(browser);
      await page.evaluateOnNewDocument(keepCount);
      await page.goto(`${cluster.url}/up`);
      await page.addScriptTag({ url: '/failover-websocket.global.js' });
      return page;
    }

    const left = (page: Page): Promise<unknown> =>
      page.evaluate(() => ({
        open: window.held.sockets.filter(({ readyState }) => readyState !== WebSocket.CLOSED).length,
        timers: window.held.timers.size,
        listeners: [...window.held.listeners],
        workers: window.held.workers,
      }));
    const nothing = { open: 0, timers: 0, listeners: [], workers: 0 };

    it('leaves nothing behind after close()', async () => {
      const page = await openLibrary();
      const during = await page.evaluate(async () => {
        const { FailoverWebSocket, DDPClient } = window.failover;
        const plain = new FailoverWebSocket('/ws/{attempt}', [], {
          policy: 'fast',
          heartbeat: { message: 'ping', isReply: (data) => data === 'pong' },
        });
        const ddp = new DDPClient('/websocket/{attempt}', { policy: 'fast' });
        await Promise.all([
          new Promise((resolve) => plain.addEventListener('message', resolve, { once: true })),
          ddp.subscribe('todos').ready,
        ]);
        const closed = new Promise((resolve) => plain.addEventListener('close', resolve));
        const { sockets, timers, listeners } = window.held;
        const counts = { sockets: sockets.length, timers: timers.size > 0, listeners: listeners.size > 0 };
        plain.close();
        ddp.close();
        await closed;
        return counts;
      });
      expect(during, 'the count counts').toEqual({ sockets: 2, timers: true, listeners: true });
      await page.waitForFunction(() =>
        window.held.sockets.every(({ readyState }) => readyState === WebSocket.CLOSED),
      );
      expect(await left(page)).toEqual(nothing);
      await page.browserContext().close();
    });

    it('leaves nothing behind after close() in the middle of an outage', async () => {
      const page = await openLibrary();
      await page.evaluate(async () => {
        const link = new window.failover.FailoverWebSocket('/ws/{attempt}', [], { policy: 'fast' });
        Object.assign(window, { link, attempts: 0 });
        link.on('attempt', () => (window as unknown as { attempts: number }).attempts++);
        await new Promise((resolve) => link.addEventListener('message', resolve, { once: true }));
      });
      await Promise.all([cluster.apply('a', 'stop'), cluster.apply('b', 'stop')]);
      await page.waitForFunction(() => (window as unknown as { attempts: number }).attempts > 3);
      await page.evaluate(() => (window as unknown as { link: FailoverWebSocket }).link.close());
      await page.waitForFunction(() =>
        window.held.sockets.every(({ readyState }) => readyState === WebSocket.CLOSED),
      );
      expect(await left(page)).toEqual(nothing);
      await page.browserContext().close();
    });
  });
}
