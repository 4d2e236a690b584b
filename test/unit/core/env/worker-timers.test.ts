import { createContext, runInContext } from 'node:vm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTimers } from '../../../../src/core/env/worker-timers.ts';

/** Once a minute, as Chromium wakes a page that has been hidden for long. */
const THROTTLE_MS = 60_000;
/** Between page and Worker. */
const POST_MS = 1;

/** A page whose own timers are held back while it is hidden, and its Worker, whose are not. */
class HiddenPage {
  hidden = true;
  /** What a CSP does: throw at once, tell later, or nothing to object. */
  csp: 'throws' | 'errors' | undefined;
  readonly log: string[] = [];
  readonly workers: FakeWorker[] = [];
  readonly urls = new Map<string, string>();
  readonly world: Parameters<typeof createTimers>[0];
  readonly timers: ReturnType<typeof createTimers>;

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the classes below have a `this` of their own
    const page = this;
    this.world = {
      setTimeout: (fn: () => void, ms: number) => {
        const due = this.hidden ? Math.ceil((this.now + ms) / THROTTLE_MS) * THROTTLE_MS - this.now : ms;
        return Number(setTimeout(fn, due));
      },
      clearTimeout: (id: number) => clearTimeout(id),
      Blob: class {
        constructor(readonly parts: string[]) {}
      },
      URL: {
        createObjectURL: (blob: { parts: string[] }) => {
          const url = `blob:${this.urls.size}`;
          this.urls.set(url, blob.parts.join(''));
          return url;
        },
        revokeObjectURL: (url: string) => this.urls.delete(url),
      },
      Worker: class extends FakeWorker {
        constructor(url: string) {
          super(page, url);
        }
      },
    } as never;
    this.timers = createTimers(this.world, () => this.hidden);
  }

  get now(): number {
    return performance.now();
  }

  /** Sets a timer that logs its name and when it fired. */
  set(name: string, ms: number): unknown {
    return this.timers.setTimeout(() => this.log.push(`${name} ${this.now}`), ms);
  }
}

/** Runs what it finds at its URL, in a global scope of its own. */
class FakeWorker {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  terminated = false;
  readonly #scope;

  constructor(page: HiddenPage, url: string) {
    page.workers.push(this);
    if (page.csp === 'throws') throw new DOMException('the policy of the page', 'SecurityError');
    this.#scope = createContext({
      setTimeout,
      postMessage: (data: unknown) => this.#post(() => this.onmessage?.({ data })),
      onmessage: undefined as ((event: { data: unknown }) => void) | undefined,
    });
    if (page.csp === undefined) runInContext(page.urls.get(url)!, this.#scope);
  }

  postMessage(data: unknown): void {
    this.#post(() => this.#scope['onmessage']?.({ data }));
  }

  terminate(): void {
    this.terminated = true;
  }

  #post(deliver: () => void): void {
    setTimeout(() => this.terminated || deliver(), POST_MS);
  }
}

let page: HiddenPage;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  page = new HiddenPage();
});
afterEach(() => void vi.useRealTimers());

test('a page that is seen needs no Worker', () => {
  page.hidden = false;
  page.set('timer', 100);
  vi.advanceTimersByTime(THROTTLE_MS);
  expect([page.log, page.workers.length, page.urls.size]).toEqual([['timer 100'], 0, 0]);
});

test('hidden: in time, once, one Worker for all', () => {
  page.set('long', 5_000);
  page.set('short', 100);
  vi.advanceTimersByTime(3 * THROTTLE_MS);
  expect(page.log).toEqual(['short 102', 'long 5002']);
  expect([page.workers.length, page.urls.size]).toEqual([1, 1]);
});

test('hidden: the page wins where it is the faster', () => {
  page.set('timer', THROTTLE_MS);
  vi.advanceTimersByTime(3 * THROTTLE_MS);
  expect(page.log).toEqual([`timer ${THROTTLE_MS}`]);
});

test('cleared: neither fires, whenever it is cleared', () => {
  const [early, late] = [page.set('early', 100), page.set('late', 100)];
  page.timers.clearTimeout(early);
  // The Worker has said it, and it is not heard yet.
  vi.advanceTimersByTime(101);
  page.timers.clearTimeout(late);
  vi.advanceTimersByTime(3 * THROTTLE_MS);
  expect(page.log).toEqual([]);
  page.timers.clearTimeout(undefined);
});

test('a timer sets and clears others', () => {
  const doomed = page.set('doomed', 200);
  page.timers.setTimeout(() => {
    page.timers.clearTimeout(doomed);
    page.set('next', 100);
  }, 100);
  vi.advanceTimersByTime(3 * THROTTLE_MS);
  expect(page.log).toEqual(['next 204']);
});

test.each(['throws', 'errors'] as const)('a policy that %s costs precision only', (csp) => {
  page.csp = csp;
  page.set('first', 100);
  page.set('second', 200);
  vi.advanceTimersByTime(2 * THROTTLE_MS);
  expect(page.log).toEqual([`first ${THROTTLE_MS}`, `second ${THROTTLE_MS}`]);
  expect(page.workers.length, 'asked once').toBe(1);
  page.timers.dispose();
  expect(page.urls.size).toBe(0);
});

test.each(['Worker', 'Blob', 'URL'] as const)('no %s: the timers of the page', (missing) => {
  Object.assign(page.world, { [missing]: undefined });
  page.set('timer', 100);
  vi.advanceTimersByTime(2 * THROTTLE_MS);
  expect(page.log).toEqual([`timer ${THROTTLE_MS}`]);
  expect(() => page.timers.dispose()).not.toThrow();
});

test('dispose ends the Worker and frees its URL; what runs goes on as a timer of the page', () => {
  page.set('running', 100);
  page.timers.dispose();
  expect([page.workers[0]!.terminated, page.urls.size]).toEqual([true, 0]);
  page.set('later', 200);
  vi.advanceTimersByTime(2 * THROTTLE_MS);
  expect(page.log).toEqual([`running ${THROTTLE_MS}`, `later ${THROTTLE_MS}`]);
  expect(page.workers).toHaveLength(1);
});

test('what a timer throws is its own affair', () => {
  page.hidden = false;
  page.timers.setTimeout(() => {
    throw new Error('boom');
  }, 100);
  page.set('other', 200);
  expect(() => vi.advanceTimersByTime(100)).toThrow('boom');
  vi.advanceTimersByTime(100);
  expect(page.log).toEqual(['other 200']);
});
