import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { classifyStatus, probe, retryAfter } from '../../../../src/core/link/probe.ts';
import type { ProbeVerdict } from '../../../../src/core/api/report.ts';
import { World } from '../../../support/world.ts';

describe('what a status says', () => {
  test.each<[status: number, retryAfter: boolean, verdict: ProbeVerdict]>([
    [200, false, 'healthy'],
    [204, false, 'healthy'],
    [299, false, 'healthy'],
    [400, false, 'healthy'],
    [426, false, 'healthy'],
    [301, false, 'redirected'],
    [399, false, 'redirected'],
    [401, false, 'unauthorized'],
    [403, false, 'unauthorized'],
    [404, false, 'not-found'],
    [405, false, 'unknown'],
    [429, false, 'overloaded'],
    [429, true, 'overloaded'],
    [500, false, 'unknown'],
    [502, false, 'gateway'],
    [502, true, 'gateway'],
    [503, false, 'gateway'],
    [503, true, 'overloaded'],
    [504, false, 'gateway'],
    [519, false, 'unknown'],
    [520, false, 'gateway'],
    [529, false, 'gateway'],
    [530, false, 'unknown'],
    [0, false, 'unknown'],
  ])('%i, Retry-After %s: %s', (status, retryAfter, verdict) => {
    expect(classifyStatus(status, retryAfter)).toBe(verdict);
  });
});

describe('asking', () => {
  let world: World;
  let abort: AbortController;
  beforeEach(() => {
    world = new World();
    abort = new AbortController();
  });
  afterEach(() => world.dispose());

  const options = { url: undefined, crossOrigin: false, timeoutMs: 3_000 };
  const answers = (status: number, headers: Record<string, string> = {}, afterMs = 0) =>
    (world.fetchAnswer = () =>
      new Promise((resolve) => setTimeout(() => resolve(new Response(null, { status, headers })), afterMs)));
  const hangs: World['fetchAnswer'] = (_url, init) =>
    new Promise((_resolve, reject) => {
      init!.signal!.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
    });
  const ask = (url: string, own: Partial<typeof options> | { url: string } = {}) =>
    probe(url, { ...options, ...own }, world.env, abort.signal);

  test('the WebSocket address over https, without query, never cached, and tells how long it took', async () => {
    answers(502, {}, 70);
    await world.pass(100);
    const report = ask('wss://app.example/ws?token=secret');
    await world.pass(70);
    expect(await report).toEqual({
      url: 'https://app.example/ws',
      startedAt: 1_000_100,
      durationMs: 70,
      verdict: 'gateway',
      advice: expect.stringContaining('gateway') as string,
      status: 502,
    });
    expect(world.fetches).toMatchObject([
      {
        url: 'https://app.example/ws',
        init: { cache: 'no-store', redirect: 'manual', credentials: 'same-origin' },
      },
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ['wss://app.example/ws', 'https://app.example/ws'],
    ['wss://app.example:443/a/b?x#y', 'https://app.example/a/b'],
  ])('%s is asked at %s', async (url, at) => {
    answers(200);
    const report = ask(url);
    await world.pass(0);
    expect((await report)?.url).toBe(at);
  });

  test.each<[status: number, header: string, expected: object]>([
    [503, '5', { verdict: 'overloaded', retryAfterMs: 5_000 }],
    [429, '5', { verdict: 'overloaded', retryAfterMs: 5_000 }],
    [503, '0', { verdict: 'overloaded', retryAfterMs: 0 }],
    [503, 'soon', { verdict: 'gateway' }],
    [429, 'soon', { verdict: 'overloaded' }],
    // Only where it means: come back later.
    [502, '5', { verdict: 'gateway' }],
    [200, '5', { verdict: 'healthy' }],
  ])('%i with Retry-After %s', async (status, header, expected) => {
    answers(status, { 'retry-after': header });
    const asked = ask('wss://app.example/ws');
    await world.pass(0);
    const { verdict, status: seen, retryAfterMs } = (await asked)!;
    expect({ verdict, ...(retryAfterMs !== undefined && { retryAfterMs }) }).toEqual(expected);
    expect(seen).toBe(status);
  });

  test('no answer before its time is over: aborted, unreachable', async () => {
    world.fetchAnswer = hangs;
    const report = ask('wss://app.example/ws', { timeoutMs: 500 });
    await world.pass(500);
    expect(await report).toMatchObject({ verdict: 'unreachable', durationMs: 500 });
    expect((await report)!.status).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  const fails = (afterMs: number) =>
    (world.fetchAnswer = () =>
      new Promise((_, reject) => setTimeout(() => reject(new TypeError('Failed to fetch')), afterMs)));

  test.each<[string, number, string, Partial<typeof options>, ProbeVerdict]>([
    ['refused, reset, DNS or TLS', 10, 'wss://app.example/ws', {}, 'unreachable'],
    ['sooner than any network: forbidden by the page or a blocker', 9, 'wss://app.example/ws', {}, 'unknown'],
    ['another origin, which may have answered', 50, 'wss://b.example/ws', { crossOrigin: true }, 'unknown'],
  ])('a request that fails, %s', async (_, afterMs, url, own, verdict) => {
    fails(afterMs);
    const report = ask(url, own);
    await world.pass(afterMs);
    expect(await report).toMatchObject({ verdict, durationMs: afterMs });
    expect((await report)!.status).toBeUndefined();
  });

  test('a request that fails while the browser knows of no network: offline', async () => {
    fails(50);
    world.online = false;
    const report = ask('wss://app.example/ws');
    await world.pass(50);
    expect(await report).toMatchObject({ verdict: 'offline' });
  });

  test('another origin that says nothing until the deadline: unreachable', async () => {
    world.fetchAnswer = hangs;
    const report = ask('wss://b.example/ws', { crossOrigin: true, timeoutMs: 500 });
    await world.pass(500);
    expect(await report).toMatchObject({ verdict: 'unreachable' });
  });

  test('a fetch that throws, answers nothing, or whose body cannot be cancelled: no rejection', async () => {
    world.fetchAnswer = () => {
      throw new Error('broken');
    };
    expect(await ask('wss://app.example/ws')).toMatchObject({ verdict: 'unknown' });
    world.fetchAnswer = () => Promise.resolve(undefined as never);
    expect(await ask('wss://app.example/ws')).toMatchObject({ verdict: 'unknown' });
    const stream = new ReadableStream({ cancel: () => Promise.reject(new Error('stuck')) });
    world.fetchAnswer = () => Promise.resolve(new Response(stream, { status: 200 }));
    expect(await ask('wss://app.example/ws')).toMatchObject({ verdict: 'healthy' });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('the body is left unread', async () => {
    let cancelled = false;
    const stream = new ReadableStream({ cancel: () => void (cancelled = true) });
    world.fetchAnswer = () => Promise.resolve(new Response(stream, { status: 200 }));
    await ask('wss://app.example/ws');
    expect(cancelled).toBe(true);
  });

  test('no longer wanted: no report, nothing left', async () => {
    world.fetchAnswer = hangs;
    const report = ask('wss://app.example/ws');
    abort.abort();
    expect(await report).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  /** What `new Response` cannot say of itself. */
  const answersAs = (own: { type?: ResponseType; url?: string }, status = 200) => {
    const answer = new Response(null, { status });
    for (const [key, value] of Object.entries(own)) Object.defineProperty(answer, key, { value });
    world.fetchAnswer = () => Promise.resolve(answer);
  };

  test('a redirect that the browser hides', async () => {
    answersAs({ type: 'opaqueredirect', url: 'https://app.example/ws' });
    expect(await ask('wss://app.example/ws')).toMatchObject({ verdict: 'redirected' });
  });

  test('a page that a service worker keeps for bad times is no answer of the app', async () => {
    answersAs({ url: 'https://app.example/offline.html' });
    const report = await ask('wss://app.example/ws');
    expect(report).toMatchObject({ verdict: 'unknown' });
    expect(report!.status).toBeUndefined();
    for (const url of ['/up', '/up?x=1', '/up#x']) {
      answersAs({ url: new URL(url, world.env.baseUrl).href.replace('#x', '') });
      expect(await ask('wss://app.example/ws', { url })).toMatchObject({ verdict: 'healthy' });
    }
  });

  test('another origin is not asked unless wanted, and then without credentials', async () => {
    answers(200);
    expect(await ask('wss://other.example/ws')).toBeUndefined();
    expect(await ask('ws://app.example/ws')).toBeUndefined();
    expect(world.fetches).toEqual([]);
    const report = ask('wss://other.example/ws', { crossOrigin: true });
    await world.pass(0);
    expect((await report)?.verdict).toBe('healthy');
    expect(world.fetches[0]).toMatchObject({ init: { credentials: 'omit' } });
  });

  test('an address of its own is asked as it is', async () => {
    answers(200);
    const report = ask('wss://app.example/ws', { url: '/up?deep=1' });
    await world.pass(0);
    // The report is for logs: no query.
    expect(await report).toMatchObject({ verdict: 'healthy', url: 'https://app.example/up' });
    expect(world.fetches[0]!.url).toBe('https://app.example/up?deep=1');
  });

  test('outside a page, or without fetch, nothing is asked', async () => {
    answers(200);
    const nowhere = { ...world.env, baseUrl: undefined };
    expect(await probe('wss://app.example/ws', options, nowhere, abort.signal)).toBeUndefined();
    const mute = { ...world.env, fetch: undefined };
    expect(await probe('wss://app.example/ws', options, mute, abort.signal)).toBeUndefined();
    const lost = { ...options, url: '/up', crossOrigin: true };
    expect(await probe('wss://app.example/ws', lost, nowhere, abort.signal)).toBeUndefined();
    expect(world.fetches).toEqual([]);
  });

  test('outside a page other origins may be asked, and nothing hides why a request fails', async () => {
    const nowhere = { ...world.env, baseUrl: undefined };
    world.fetchAnswer = () => Promise.reject(new TypeError('fetch failed'));
    expect(
      await probe('wss://app.example/ws', { ...options, crossOrigin: true }, nowhere, abort.signal),
    ).toMatchObject({ verdict: 'unreachable', durationMs: 0 });
  });
});

describe('Retry-After', () => {
  const now = Date.parse('Sun, 22 Nov 2026 06:00:00 GMT');
  const of = (header: string | undefined) =>
    retryAfter(new Headers(header === undefined ? {} : { 'retry-after': header }), now);

  test.each<[string | undefined, number]>([
    ['0', 0],
    ['7', 7_000],
    ['007', 7_000],
    ['600', 600_000],
    // Ten minutes are the most.
    ['601', 600_000],
    ['99999999999999999999999999', 600_000],
    ['9'.repeat(400), 600_000],
    ['Sun, 22 Nov 2026 06:00:30 GMT', 30_000],
    ['Sunday, 22-Nov-26 06:00:30 GMT', 30_000],
    ['Sun, 22 Nov 2099 06:00:30 GMT', 600_000],
    ['Sun, 22 Nov 2026 05:59:30 GMT', 0],
    // What is neither is as good as none.
    [undefined, NaN],
    ['', NaN],
    ['-5', NaN],
    ['1.5', NaN],
    ['1e3', NaN],
    ['5, 10', NaN],
    ['soon', NaN],
    ['soon 2099', NaN],
    ['soon 5 GMT', NaN],
    ['2026-11-22T06:00:30Z', NaN],
  ])('%s: %s ms', (header, ms) => {
    expect(of(header)).toBe(ms);
  });
});
