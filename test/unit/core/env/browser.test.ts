import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type PageEvent } from '../../../../src/core/env/env.ts';
import { browserEnv } from '../../../../src/core/env/browser.ts';

/** Enough of a browser: a window that sees its document's events, a document, a navigator. */
class Page extends EventTarget {
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  readonly navigator = { onLine: true, userAgent: 'Test/1', locks: undefined };

  constructor() {
    super();
    vi.stubGlobal('window', this);
    vi.stubGlobal('document', this.document);
    vi.stubGlobal('navigator', this.navigator);
    vi.stubGlobal('location', { href: 'https://app.example/page' });
    for (const name of ['addEventListener', 'removeEventListener'] as const) {
      // Node's EventTarget does not understand `true` for capture when it removes.
      vi.stubGlobal(name, (type: string, listener: () => void, capture: boolean) =>
        this[name](type, listener, { capture }),
      );
    }
  }

  /** As in the DOM, an event of the document passes the window first. */
  fire(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
    if (type === 'resume' || type === 'visibilitychange') {
      this.document.dispatchEvent(Object.assign(new Event(type), fields));
    }
  }
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('in a page', () => {
  let page: Page;
  beforeEach(() => (page = new Page()));

  test('the world is what it is', () => {
    const env = browserEnv();
    expect(env).toMatchObject({ baseUrl: 'https://app.example/page', userAgent: 'Test/1' });
    expect([env.page.online(), env.page.visible()]).toEqual([true, true]);
    page.navigator.onLine = false;
    page.document.visibilityState = 'hidden';
    expect([env.page.online(), env.page.visible()]).toEqual([false, false]);
  });

  test.each<[PageEvent, type: string, fields: object, heard: boolean]>([
    ['online', 'online', {}, true],
    ['offline', 'offline', {}, true],
    ['resume', 'resume', {}, true],
    ['active', 'pointerdown', {}, true],
    ['hide', 'pagehide', { persisted: true }, true],
    ['hide', 'pagehide', { persisted: false }, true],
    ['restored', 'pageshow', { persisted: true }, true],
    ['restored', 'pageshow', { persisted: false }, false],
    ['visible', 'visibilitychange', {}, true],
  ])('%s is %s %j: %s', (event, type, fields, heard) => {
    let times = 0;
    const off = browserEnv().page.on(event, () => (times += 1));
    page.fire(type, fields);
    expect(times > 0).toBe(heard);
    const before = times;
    off();
    page.fire(type, fields);
    expect(times).toBe(before);
  });

  test('what the tabs of the origin share', async () => {
    const stored = new Map<string, string>();
    Object.assign(page, {
      localStorage: {
        getItem: (key: string) => stored.get(key) ?? null,
        setItem: (key: string, value: string) => void stored.set(key, value),
      },
    });
    Object.assign(page.navigator, {
      locks: {
        request(this: unknown, name: string) {
          return Promise.resolve([name, this === page.navigator.locks]);
        },
      },
    });
    const { storage, locks } = browserEnv();
    storage!.setItem('key', 'value');
    expect(storage!.getItem('key')).toBe('value');
    expect(await locks!.request('host', () => {})).toEqual(['host', true]);
  });

  test.each([
    [
      'throws',
      () => {
        throw new DOMException('The operation is insecure.', 'SecurityError');
      },
    ],
    ['is null', () => null],
  ])('is absent where the access %s', (_, get) => {
    Object.defineProperty(page, 'localStorage', { get });
    Object.defineProperty(page.navigator, 'locks', { get });
    expect(browserEnv()).toMatchObject({ storage: undefined, locks: undefined });
  });

  test('visible is not hidden', () => {
    let times = 0;
    browserEnv().page.on('visible', () => (times += 1));
    page.document.visibilityState = 'hidden';
    page.fire('visibilitychange');
    expect(times).toBe(0);
  });
});

describe('outside a page', () => {
  test('what is missing is simply absent', () => {
    for (const name of [
      'window',
      'navigator',
      'fetch',
      'WebSocket',
      'document',
      'location',
      'addEventListener',
    ]) {
      vi.stubGlobal(name, undefined);
    }
    const env = browserEnv();
    expect(env).toMatchObject({ WebSocket: undefined, fetch: undefined, userAgent: '', baseUrl: undefined });
    expect(env).toMatchObject({ locks: undefined, storage: undefined });
    expect([env.page.online(), env.page.visible()]).toEqual([true, true]);
    expect(() => env.page.on('online', () => {})()).not.toThrow();
  });

  test('clock, timers and randomness work', async () => {
    const env = browserEnv();
    const start = env.now();
    await new Promise<void>((resolve) => void env.setTimeout(resolve, 5));
    expect(env.now() - start).toBeGreaterThan(1);
    expect(Math.abs(env.timeOrigin + env.now() - Date.now())).toBeLessThan(1_000);
    let fired = false;
    env.clearTimeout(env.setTimeout(() => (fired = true), 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(fired).toBe(false);
    expect(env.random()).toBeLessThan(1);
    expect(env.random()).not.toBe(env.random());
  });

  test('a span on the timeline, which must never be a failure', () => {
    const measure = vi.spyOn(performance, 'measure');
    browserEnv().measure('failover', 1, 2, { x: 1 });
    expect(measure).toHaveBeenCalledWith('failover', { start: 1, end: 2, detail: { x: 1 } });
    measure.mockImplementation(() => {
      throw new TypeError('level 2');
    });
    expect(() => browserEnv().measure('failover', 1, 2, {})).not.toThrow();
  });

  test('fetch is called as a function of the world', async () => {
    vi.stubGlobal('fetch', function (this: unknown, url: string) {
      return Promise.resolve([this === undefined || this === globalThis, url]);
    });
    expect(await browserEnv().fetch!('/x')).toEqual([true, '/x']);
  });

  test('an exception of a listener is reported where the platform can', () => {
    const told: unknown[] = [];
    vi.stubGlobal('reportError', (error: unknown) => told.push(error));
    browserEnv().reportError('boom');
    expect(told).toEqual(['boom']);
  });

  test('and thrown in a task of its own where it cannot', () => {
    vi.stubGlobal('reportError', undefined);
    const tasks: (() => void)[] = [];
    vi.stubGlobal('queueMicrotask', (task: () => void) => tasks.push(task));
    browserEnv().reportError(new Error('boom'));
    expect(tasks[0]).toThrow('boom');
  });
});
