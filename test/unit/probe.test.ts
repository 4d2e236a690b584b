import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { classifyStatus, probe } from '../../src/core/probe.ts';
import type { ProbeVerdict } from '../../src/core/report.ts';
import { World } from '../support/world.ts';

describe('what a status says', () => {
  test.each<[status: number, retryAfter: boolean, verdict: ProbeVerdict]>([
    [200, false, 'healthy'],
    [204, false, 'healthy'],
    [299, false, 'healthy'],
    [400, false, 'healthy'],
    [426, false, 'healthy'],
    [301, false, 'unknown'],
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

  test('Retry-After is seen', async () => {
    answers(503, { 'retry-after': '5' });
    const report = ask('wss://app.example/ws');
    await world.pass(0);
    expect(await report).toMatchObject({ verdict: 'overloaded', status: 503 });
  });

  test('no answer before its time is over: aborted, unreachable', async () => {
    world.fetchAnswer = (_url, init) =>
      new Promise((_resolve, reject) => {
        init!.signal!.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      });
    const report = ask('wss://app.example/ws', { timeoutMs: 500 });
    await world.pass(500);
    expect(await report).toMatchObject({ verdict: 'unreachable', durationMs: 500 });
    expect((await report)!.status).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a request that fails: unreachable', async () => {
    world.fetchAnswer = () => Promise.reject(new TypeError('Failed to fetch'));
    expect(await ask('wss://app.example/ws')).toMatchObject({ verdict: 'unreachable' });
  });

  test('no longer wanted: no report, nothing left', async () => {
    world.fetchAnswer = (_url, init) =>
      new Promise((_resolve, reject) => {
        init!.signal!.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      });
    const report = ask('wss://app.example/ws');
    abort.abort();
    expect(await report).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an opaque answer says nothing', async () => {
    for (const type of ['opaque', 'opaqueredirect']) {
      const opaque = Object.defineProperty(new Response(null), 'type', { value: type });
      world.fetchAnswer = () => Promise.resolve(opaque);
      expect(await ask('wss://app.example/ws')).toMatchObject({ verdict: 'unknown' });
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
    expect(world.fetches).toEqual([]);
  });
});
