import { expect, test } from 'vitest';
import { overSockjs } from '../../src/sockjs/index.ts';
import { seeded } from '../support/random.ts';
import { World } from '../support/world.ts';

const PATH = /^(\S+)\/[a-z0-9]{8}\/[a-z0-9]{8}\/websocket(\?\S*)?$/;

test.each([
  ['one endpoint', 'https://app.example/sockjs', ['wss://app.example/sockjs']],
  ['a URL with a query', new URL('wss://app.example/sockjs?x=1'), ['wss://app.example/sockjs?x=1']],
  [
    'several',
    ['wss://a.example/sockjs', 'wss://b.example/sockjs'],
    ['wss://a.example/sockjs', 'wss://b.example/sockjs'],
  ],
  ['a function', () => 'wss://app.example/sockjs', ['wss://app.example/sockjs']],
  ['an async function', () => Promise.resolve(['wss://app.example/sockjs']), ['wss://app.example/sockjs']],
])('%s: every dial has its own path', async (_, url, endpoints) => {
  const world = new World();
  try {
    const ws = overSockjs(url, { env: { ...world.env, random: seeded(1) } });
    await world.pass(20_000);
    ws.close();
    const parts = world.sockets.map(({ url }) => PATH.exec(url)!);
    expect(parts.length).toBeGreaterThan(endpoints.length);
    expect(new Set(parts.map(([, base, query = '']) => base + query))).toEqual(new Set(endpoints));
    expect(new Set(world.sockets.map(({ url }) => url)).size).toBe(parts.length);
  } finally {
    world.dispose();
  }
});

test('options and URLs are checked as by FailoverWebSocket', () => {
  const world = new World();
  expect(() => overSockjs('wss://app.example/sockjs', { hedge: 1 as never })).toThrow(
    /hedge: expected true or false, got 1/,
  );
  expect(() => overSockjs('ftp://app.example/sockjs', { env: world.env })).toThrow(
    expect.objectContaining({
      name: 'SyntaxError',
      message: expect.stringContaining('ftp://app.example/sockjs') as string,
    }),
  );
  expect(() => overSockjs('wss://app.example/sockjs')).toThrow(
    expect.objectContaining({ name: 'FailoverError', kind: 'unsupported' }),
  );
  world.dispose();
});
