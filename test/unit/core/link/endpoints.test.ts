import { describe, expect, test } from 'vitest';
import { type Env } from '../../../../src/core/env/env.ts';
import { browserEnv } from '../../../../src/core/env/browser.ts';
import type { DialContext, ProtocolSource, UrlSource } from '../../../../src/core/api/options.ts';
import { createEndpoints, redactUrl, type Endpoints } from '../../../../src/core/link/endpoints.ts';

let next = 0;
const env: Env = {
  ...browserEnv(),
  baseUrl: 'https://app.example/page/?q#f',
  random: () => ((next += 1) * 0.1234567) % 1,
};
const target = (urls: UrlSource, protocols?: ProtocolSource, world: Partial<Env> = {}) =>
  createEndpoints(urls, protocols, { ...env, ...world });
const context: DialContext = { attempt: 1, cause: undefined, signal: new AbortController().signal };
const urlOf = async (of: Endpoints) => (await of.next(context)).url;

describe('an address', () => {
  test.each<[string, string | URL, string]>([
    ['as it is', 'wss://a.example/ws?x=1', 'wss://a.example/ws?x=1'],
    ['http and https as WebSocket takes them', 'https://a.example/ws', 'wss://a.example/ws'],
    ['http', 'http://a.example:8080/ws', 'ws://a.example:8080/ws'],
    ['the default port of the new scheme', 'http://a.example:80/', 'ws://a.example/'],
    ['relative to the page', '/ws', 'wss://app.example/ws'],
    ['relative to the folder', 'ws', 'wss://app.example/page/ws'],
    ['without scheme', '//b.example/ws', 'wss://b.example/ws'],
    ['a URL', new URL('https://a.example/ws'), 'wss://a.example/ws'],
    ['an IPv6 address', 'ws://[::1]:80/', 'ws://[::1]/'],
    ['userinfo stays', 'wss://user:pw@a.example/', 'wss://user:pw@a.example/'],
  ])('%s', async (_, given, expected) => {
    const of = target(given);
    expect(of.lastUrl).toBe(expected);
    expect(await urlOf(of)).toBe(expected);
  });

  test.each<[string, unknown, RegExp]>([
    ['no URL', 'http://', /^url: expected a WebSocket URL .*, got "http:\/\/"\.$/],
    [
      'another scheme',
      'ftp://a.example/',
      /^url: expected a WebSocket URL .*, got "ftp:\/\/a\.example\/"\.$/,
    ],
    ['a script', 'javascript:alert(1)', /^url: expected a WebSocket URL .*, got "javascript:alert\(1\)"\.$/],
    [
      'a fragment',
      'wss://a.example/#x',
      /^url: expected a WebSocket URL .*, got "wss:\/\/a\.example\/#x"\.$/,
    ],
    ['an empty list', [], /^url: expected at least one address, got an empty list\./],
    [
      'a list with a bad one',
      ['wss://a.example/', 'wss://b.example/#x'],
      /^url: expected a WebSocket URL .*, got "wss:\/\/b\.example\/#x"\.$/,
    ],
  ])('%s is refused as WebSocket refuses it', (_, given, message) => {
    const make = () => target(given as UrlSource);
    expect(make).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
    expect(make).toThrow(message);
    expect(make).toThrow(DOMException);
  });

  test('relative without a page is no URL', () => {
    expect(() => target('/ws', undefined, { baseUrl: undefined })).toThrow(
      /^url: expected an absolute WebSocket URL .*, got "\/ws"\. A relative one needs a page, or `env\.baseUrl`\.$/,
    );
  });

  test.each([
    ['ws://localhost:3000/', true],
    ['ws://node-1.localhost/', true],
    ['ws://127.0.0.1/', true],
    ['ws://127.9.9.9/', true],
    ['ws://[::1]/', true],
    ['ws://127.0.0.1.example.org/', false],
    ['ws://localhost.example.org/', false],
    ['wss://a.example/', false],
  ])('%s is loopback: %s', (url, loopback) => {
    expect(target(url).loopback).toBe(loopback);
  });
});

describe('{attempt}', () => {
  test('is new for every dial, and may stand more than once', async () => {
    const of = target('wss://a.example/{attempt}/s-{attempt}/ws');
    const seen = [];
    for (let i = 0; i < 5; i++) seen.push(await urlOf(of));
    for (const url of seen) expect(url).toMatch(/^wss:\/\/a\.example\/[a-z0-9]{8}\/s-[a-z0-9]{8}\/ws$/);
    expect(new Set(seen).size).toBe(5);
    expect(of.freshPath).toBe(true);
  });

  test('works in a URL object, whose braces are escaped', async () => {
    expect(await urlOf(target(new URL('https://a.example/{attempt}/ws')))).toMatch(
      /^wss:\/\/a\.example\/[a-z0-9]{8}\/ws$/,
    );
  });

  test('a random number with few digits still fills 8 characters', async () => {
    expect(await urlOf(target('wss://a.example/{attempt}', undefined, { random: () => 0 }))).toBe(
      'wss://a.example/00000000',
    );
  });

  test.each([
    ['wss://a.example/ws', false],
    ['wss://a.example/{attempt}', true],
    ['wss://a.example/{attempt}?x={attempt}', true],
    // Firefox keys its penalty by host, path and port: a new query does not help.
    ['wss://a.example/ws?x={attempt}', false],
  ])('%s has a path of its own for every dial: %s', (url, fresh) => {
    expect(target(url).freshPath).toBe(fresh);
    expect(target(new URL(url)).freshPath).toBe(fresh);
  });
});

describe('a list', () => {
  test('stays with an address that answers and takes the next one after a failure', async () => {
    const of = target(['wss://a.example/', 'wss://b.example/', 'wss://c.example/']);
    const seen = [await of.next(context), await of.next(context)];
    for (let i = 0; i < 4; i++) {
      of.markFailed(seen.at(-1));
      seen.push(await of.next(context));
    }
    expect(seen.map(({ url }) => new URL(url).hostname[0]).join('')).toBe('aabcab');
    // An address that has just failed is the last to be asked again.
    of.markFailed(seen[0]);
    expect(await urlOf(of)).toBe('wss://b.example/');
  });

  test('knows an address again however {attempt} was filled in', async () => {
    const of = target(['wss://a.example/{attempt}', 'wss://b.example/{attempt}']);
    of.markFailed(await of.next(context));
    expect(new URL(await urlOf(of)).hostname).toBe('b.example');
  });

  test('never empties, and one that is no longer in it is forgotten in time', async () => {
    let list = ['wss://a.example/', 'wss://b.example/'];
    const of = target(() => list);
    of.markFailed(await of.next(context));
    expect(await urlOf(of)).toBe('wss://b.example/');
    list = ['wss://a.example/'];
    expect(await urlOf(of)).toBe('wss://a.example/');
    list = Array.from({ length: 300 }, (_, i) => `wss://n${i}.example/`);
    for (let i = 0; i < 1_000; i++) of.markFailed(await of.next(context));
    expect(await urlOf(of)).toMatch(/^wss:\/\/n\d+\.example\/$/);
  });
});

describe('a provider', () => {
  test('is told about the dial and asked before each', async () => {
    const asked: DialContext[] = [];
    const of = target(
      (about) => {
        asked.push(about);
        return Promise.resolve(new URL(`https://a.example/${about.attempt}`));
      },
      (about) => [`v${about.attempt}`],
    );
    expect(of.lastUrl).toBe('');
    expect(await of.next({ ...context, attempt: 3, cause: 'lost' })).toMatchObject({
      url: 'wss://a.example/3',
      protocols: ['v3'],
    });
    expect(asked).toEqual([{ ...context, attempt: 3, cause: 'lost' }]);
    expect(of.lastUrl).toBe('wss://a.example/3');
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
    ['answers an empty list', () => []],
    ['answers a bad URL', () => 'ftp://a.example/'],
    ['answers a list of bad URLs', () => ['http://']],
  ])('that %s: the question is rejected, never thrown', async (_, answer) => {
    const of = target(answer as never);
    await expect(Promise.resolve(of.next(context))).rejects.toThrow();
  });

  // A forgotten `return` should not dial wss://app.example/page/undefined for ever.
  for (const answer of [undefined, null, 7, {}, [undefined]]) {
    test(`that answers ${JSON.stringify(answer)}: rejected, naming the value`, async () => {
      await expect(target((() => answer) as never).next(context)).rejects.toThrow('url: ');
    });
  }

  test('of protocols that answers nonsense: rejected', async () => {
    await expect(target('wss://a.example/', () => ['a b']).next(context)).rejects.toThrow(
      /^protocols: expected subprotocol names .*, got "a b"\.$/,
    );
  });
});

describe('protocols', () => {
  test.each<[unknown]>([[undefined], ['v1'], [[]], [['v1', 'v2.x']], ["!#$%&'*+-.^_`|~0aZ"]])(
    '%j are allowed',
    async (protocols) => {
      const of = target('wss://a.example/', protocols as ProtocolSource);
      expect((await of.next(context)).protocols).toEqual(protocols);
    },
  );

  test.each<[unknown, string]>([
    ['', '""'],
    ['a b', '"a b"'],
    ['a,b', '"a,b"'],
    ['ü', '"ü"'],
    [['v1', 'v1'], '"v1"'],
    [[7], '7'],
    [null, 'null'],
    [{}, '[object Object]'],
  ])('%j are refused as WebSocket refuses them', (protocols, shown) => {
    const make = () => target('wss://a.example/', protocols as ProtocolSource);
    expect(make).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
    expect(make).toThrow(`each given once, got ${shown}.`);
  });
});

test('options in the place of protocols: the error says where they belong', () => {
  const make = () => target('wss://a.example/', { policy: 'fast' } as never);
  expect(make).toThrow(
    'got [object Object]. Options are the third argument: new FailoverWebSocket(url, undefined, { … }).',
  );
});

test.each([
  ['wss://user:pw@a.example/ws?token=secret#f', 'wss://a.example/ws'],
  ['wss://a.example/', 'wss://a.example/'],
  ['', ''],
  [undefined, ''],
])('%j is reported as %j', (url, expected) => {
  expect(redactUrl(url)).toBe(expected);
});
