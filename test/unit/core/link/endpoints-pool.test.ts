import { describe, expect, test } from 'vitest';
import { browserEnv } from '../../../../src/core/env/browser.ts';
import type { DialContext, ProtocolSource, UrlSource } from '../../../../src/core/api/options.ts';
import { createEndpoints, type Endpoints, type Endpoint } from '../../../../src/core/link/endpoints.ts';

const context: DialContext = { attempt: 1, cause: undefined, signal: new AbortController().signal };
const [A, B, C] = ['wss://a.example/', 'wss://b.example/', 'wss://c.example/'] as const;

/** A pool in a world whose clock is set by hand. */
class Pool {
  now = 1_000;
  readonly of: Endpoints;
  #drawn = 0;

  constructor(urls: UrlSource = [A, B, C], protocols?: ProtocolSource) {
    this.of = createEndpoints(urls, protocols, {
      ...browserEnv(),
      baseUrl: 'https://app.example/',
      now: () => this.now,
      random: () => ((this.#drawn += 1) * 0.1234567) % 1,
    });
  }

  ask(): Promise<Endpoint> {
    return Promise.resolve(this.of.next(context));
  }

  async host(): Promise<string> {
    return (await this.ask()).host;
  }

  async fail(...urls: string[]): Promise<void> {
    for (const given of urls) this.of.markFailed({ ...(await this.ask()), given });
  }
}

test('an address comes with its host, the port included', async () => {
  for (const [url, host] of [
    ['wss://a.example/x', 'a.example'],
    ['https://A.example:443/', 'a.example'],
    ['ws://a.example:8080/', 'a.example:8080'],
    ['ws://[::1]:3000/', '[::1]:3000'],
  ] as const) {
    expect(await new Pool(url).host()).toBe(host);
  }
  expect(new Pool('ws://localhost:3000/').of.loopback).toBe(true);
  expect(new Pool('ws://localhost.example:3000/').of.loopback).toBe(false);
});

describe('health', () => {
  test('a failure counts for a minute, then the order of the list does', async () => {
    const pool = new Pool();
    await pool.fail(A);
    pool.now += 59_999;
    expect(await pool.host()).toBe('b.example');
    pool.now += 1;
    expect(await pool.host()).toBe('a.example');
  });

  test('a fresh failure starts the minute anew', async () => {
    const pool = new Pool();
    await pool.fail(A);
    pool.now += 50_000;
    await pool.fail(A);
    pool.now += 50_000;
    expect(await pool.host()).toBe('b.example');
  });

  test('of those that all failed the first to fail is first, within one millisecond too', async () => {
    const pool = new Pool();
    await pool.fail(C, A, B);
    expect(await pool.host()).toBe('c.example');
    pool.now += 1;
    await pool.fail(C);
    expect(await pool.host()).toBe('a.example');
  });

  test('an address that serves has no failure any more', async () => {
    const pool = new Pool();
    const first = await pool.ask();
    pool.of.markFailed(first);
    await pool.fail(B);
    pool.of.markServing(first);
    expect(await pool.host()).toBe('a.example');
  });

  test('a failure of nothing in particular changes nothing', async () => {
    const pool = new Pool();
    pool.of.markFailed(undefined);
    expect(await pool.host()).toBe('a.example');
  });
});

describe('another address beside one', () => {
  test('is the best of another host, with a path of its own and the same protocols', async () => {
    const pool = new Pool(
      ['wss://a.example/{attempt}', 'wss://a.example/2/{attempt}', 'wss://b.example/{attempt}', C],
      ['v1'],
    );
    const first = await pool.ask();
    const second = pool.of.alternativeTo(first)!;
    expect(second).toMatchObject({
      host: 'b.example',
      given: 'wss://b.example/{attempt}',
      protocols: ['v1'],
    });
    expect(pool.of.lastUrl).toBe(second.url);
    expect(pool.of.freshPath).toBe(true);
    expect(pool.of.alternativeTo(first)!.url).not.toBe(second.url);
    pool.of.markFailed(second);
    expect(pool.of.alternativeTo(first)!.host).toBe('c.example');
    expect(pool.of.freshPath).toBe(false);
    // Better one that failed than none.
    pool.of.markFailed({ ...first, given: C });
    expect(pool.of.alternativeTo(first)!.host).toBe('b.example');
  });

  test('another port is another host', async () => {
    const pool = new Pool(['ws://a.example:1/', 'ws://a.example:2/']);
    expect(pool.of.alternativeTo(await pool.ask())!.host).toBe('a.example:2');
  });

  test.each<[string, UrlSource]>([
    ['one address', A],
    ['addresses of one host', [A, 'wss://a.example/other']],
    ['a provider that knows one', () => A],
  ])('there is none with %s, and the last address stays the last', async (_, urls) => {
    const pool = new Pool(urls);
    const first = await pool.ask();
    expect(pool.of.alternativeTo(first)).toBeUndefined();
    expect(pool.of.lastUrl).toBe(first.url);
  });

  test("of a provider's is one of its last answer, which is asked for nothing", async () => {
    let asked = 0;
    const answers = [[A, B], [A, C], A];
    const pool = new Pool(
      () => answers[asked++]!,
      () => `v${asked}`,
    );
    expect(
      pool.of.alternativeTo({ url: A, host: 'a.example', protocols: undefined, given: A }),
    ).toBeUndefined();
    expect(pool.of.alternativeTo(await pool.ask())).toMatchObject({ host: 'b.example', protocols: 'v1' });
    expect(pool.of.alternativeTo(await pool.ask())).toMatchObject({ host: 'c.example', protocols: 'v2' });
    expect(pool.of.alternativeTo(await pool.ask())).toBeUndefined();
    expect(asked).toBe(3);
  });

  test('what a provider does to its list afterwards changes nothing', async () => {
    const list = [A, B];
    const pool = new Pool(() => list);
    const first = await pool.ask();
    list.length = 0;
    expect(pool.of.alternativeTo(first)!.host).toBe('b.example');
  });

  test('a list with an address that is none is refused whole, before it is needed', async () => {
    await expect(new Pool(() => [A, 'http://']).ask()).rejects.toThrow(
      /^url: expected a WebSocket URL .*, got "http:\/\/"\.$/,
    );
  });
});

describe("a server's hint", () => {
  const ORIGINS = ['wss://b.example', 'wss://c.example', 'wss://d.example'];

  test('is dialled next, and only then', async () => {
    const pool = new Pool([A, B], ['v1']);
    pool.of.preferOnce('https://d.example/ws', ORIGINS);
    const hinted = await pool.ask();
    expect(hinted).toEqual({
      url: 'wss://d.example/ws',
      host: 'd.example',
      given: 'https://d.example/ws',
      protocols: ['v1'],
    });
    expect(pool.of.lastUrl).toBe(hinted.url);
    // The list is what it was.
    expect(pool.of.alternativeTo(hinted)!.host).toBe('a.example');
    expect(await pool.host()).toBe('a.example');
  });

  test('the last one counts', async () => {
    const pool = new Pool();
    pool.of.preferOnce(B, ORIGINS);
    pool.of.preferOnce(C, ORIGINS);
    expect([await pool.host(), await pool.host()]).toEqual(['c.example', 'a.example']);
  });

  test('spares a provider of addresses the question, not one of protocols', async () => {
    const asked: string[] = [];
    const pool = new Pool(
      () => (asked.push('url'), A),
      () => (asked.push('protocols'), 'v2'),
    );
    pool.of.preferOnce(B, ORIGINS);
    expect(await pool.ask()).toMatchObject({ host: 'b.example', protocols: 'v2' });
    expect(await pool.host()).toBe('a.example');
    expect(asked).toEqual(['protocols', 'url', 'protocols']);
  });

  test.each([
    'http://',
    'ftp://b.example/',
    'wss://b.example/#x',
    'javascript:alert(1)',
    'wss://b.example:444/',
    'wss://evil.example/',
  ])('%j is no hint', async (url) => {
    const pool = new Pool();
    pool.of.preferOnce(url, ORIGINS);
    expect(await pool.host()).toBe('a.example');
  });
});
