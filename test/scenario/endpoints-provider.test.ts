import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FailoverError } from '../../src/core/api/errors.ts';
import { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { DialContext, FailoverOptions, ProtocolSource, UrlSource } from '../../src/core/api/options.ts';
import { accepts, hangs, refuses, sequence, World } from '../support/world.ts';

let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const AT = 'wss://app.example/ws';
const after = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), ms));

describe('a provider', () => {
  test('is asked before every dial, and told why', async () => {
    const asked: Omit<DialContext, 'signal'>[] = [];
    world.behaviour = sequence(accepts(), refuses(), hangs(), accepts());
    world.link({ policy: 'fast' }, ({ attempt, cause }) => (asked.push({ attempt, cause }), AT));
    await world.pass(1_000);
    world.last.serverEnds(1012);
    await world.pass(25_000);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(asked).toEqual([
      { attempt: 1, cause: undefined },
      { attempt: 1, cause: 'drain' },
      { attempt: 2, cause: 'refused' },
      { attempt: 3, cause: 'timeout' },
      { attempt: 1, cause: 'lost' },
    ]);
  });

  test.each<[string, UrlSource]>([
    ['a string', () => AT],
    ['a URL', () => new URL(AT)],
    ['a list', () => [AT, 'wss://other.example/']],
    ['a promise', () => after(30, AT)],
    ['a promise of a list', () => after(30, [AT])],
    ['a relative path', () => '/ws'],
  ])('may answer %s', async (_, source) => {
    const ws = world.link({}, source);
    expect(ws.url).toBe('');
    await world.pass(200);
    expect([ws.url, ws.status.name]).toEqual([AT, 'online']);
  });

  test('of protocols is asked for each dial too', async () => {
    world.behaviour = sequence(refuses(), accepts());
    const ws = world.link({}, AT, ({ attempt }) => after(5, [`v${attempt}`, 'v0']));
    await world.pass(300);
    expect(world.sockets.map(({ protocols }) => protocols)).toEqual([
      ['v1', 'v0'],
      ['v2', 'v0'],
    ]);
    expect(ws.protocol).toBe('v2');
  });

  test('time it takes is no time of the handshake', async () => {
    world.link({ policy: 'fast' }, () => after(4_000, AT));
    await world.pass(5_000);
    expect(world.log[0]).toBe('4000 dial 1');
    expect(world.log[1]).toBe('4080 open');
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
    ['answers what is no URL', () => 'http://'],
    ['answers a bad URL', () => 'ftp://x/'],
    ['answers an empty list', () => []],
  ])('that %s is a failed attempt, warned of and paced like one', async (_, answer) => {
    const ws = world.link({}, answer as never);
    const outcomes: unknown[] = [];
    ws.on('attempt', ({ outcome, url }) => outcomes.push([outcome, url]));
    await world.pass(10_000);
    expect(outcomes[0]).toEqual(['provider', '']);
    expect(world.log.slice(0, 3)).toEqual(['0 warning callback', '0 attempt provider', '0 status waiting']);
    expect(outcomes.length).toBeLessThan(60);
    expect(ws.status).toMatchObject({ name: 'waiting', cause: 'provider' });
    ws.close();
    await world.pass(10);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  });

  test('that comes to its senses is used', async () => {
    let n = 0;
    world.link({}, () => ((n += 1) < 3 ? Promise.reject(new Error('boom')) : AT));
    await world.pass(5_000);
    expect(world.log).toContain('580 open');
  });

  test('that never answers is given up at the cap, and told so', async () => {
    const signals: AbortSignal[] = [];
    const ws = world.link({ policy: 'fast' }, ({ signal }) => (signals.push(signal), new Promise(() => {})));
    await world.pass(10_001);
    expect(world.log[0]).toBe('10000 attempt provider');
    expect(signals[0]!.aborted).toBe(true);
    ws.close();
    await world.pass(10);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  });

  test('whose answer comes after close() dials nothing', async () => {
    const ws = world.link({}, () => after(100, AT));
    await world.pass(50);
    ws.close();
    await world.pass(500);
    expect(world.sockets).toEqual([]);
    expect(world.left.timers).toBe(0);
  });

  test('is asked with cause unauthorized after a handshake said so, and may refresh its token', async () => {
    let token = 'old';
    const causes: unknown[] = [];
    world.link(
      {
        handshake: () =>
          token === 'old' ? Promise.reject(new FailoverError('unauthorized', '401')) : Promise.resolve(),
      },
      ({ cause }) => {
        causes.push(cause);
        if (cause === 'unauthorized') token = 'new';
        return AT;
      },
    );
    await world.pass(2_000);
    expect(causes).toEqual([undefined, 'unauthorized']);
    // The pace slows: 0.5 · 500 ms after the refusal.
    expect(world.log).toEqual([
      '0 dial 1',
      '80 attempt unauthorized',
      '80 status waiting',
      '330 status connecting',
      '330 dial 2',
      '410 open',
      '410 attempt open',
      '410 up first',
      '410 status online',
    ]);
  });

  test.each(['url', 'protocol'])(
    'of the %s ends the link by throwing then, and nobody else does',
    async (which) => {
      const refuse = ({ cause }: DialContext) => {
        if (cause === 'unauthorized') throw new Error('session expired');
        return which === 'url' ? AT : 'v1';
      };
      const ws = world.link(
        { handshake: () => Promise.reject(new FailoverError('unauthorized', '401')) },
        which === 'url' ? refuse : AT,
        which === 'url' ? undefined : refuse,
      );
      await world.pass(5_000);
      expect(world.log.filter((line) => !line.includes('status'))).toEqual([
        '0 dial 1',
        '80 attempt unauthorized',
        '330 attempt cancelled',
        '330 giveup unauthorized',
        '330 error',
        '330 close 1006',
      ]);
      expect(ws.status).toMatchObject({
        name: 'failed',
        error: { kind: 'unauthorized', cause: { message: 'session expired' } },
      });
      expect([ws.readyState, world.left]).toEqual([3, { timers: 0, listeners: 0, sockets: 0 }]);
    },
  );
});

describe('a constructor call that WebSocket would refuse', () => {
  const make = (url: unknown, protocols?: unknown, options?: unknown) => () =>
    new FailoverWebSocket(url as UrlSource, protocols as ProtocolSource, {
      env: world.env,
      ...(options as FailoverOptions),
    });

  test.each<[string, unknown, unknown]>([
    ['no URL', 'http://', undefined],
    ['a fragment', `${AT}#x`, undefined],
    ['a scheme', 'ftp://a/', undefined],
    ['an empty list', [], undefined],
    ['a protocol', AT, 'a b'],
    ['a protocol twice', AT, ['a', 'a']],
  ])('%s: SyntaxError, and nothing is left running', async (_, url, protocols) => {
    expect(make(url, protocols)).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
    await world.pass(1_000);
    expect([world.sockets, world.left]).toEqual([[], { timers: 0, listeners: 0, sockets: 0 }]);
  });

  test('no WebSocket here: says how to get one', () => {
    expect(make(AT, undefined, { env: { ...world.env, WebSocket: undefined } })).toThrow(
      expect.objectContaining({ name: 'FailoverError', kind: 'unsupported' }),
    );
    expect(make(AT, undefined, { env: { ...world.env, WebSocket: undefined } })).toThrow(
      'No WebSocket in this environment.',
    );
  });

  test('a native constructor that throws is a refused attempt', async () => {
    let refusals = 2;
    const Native = world.env.WebSocket!;
    class Blocked {
      constructor(url: string) {
        if (refusals-- > 0) throw new DOMException('mixed content', 'SecurityError');
        return new Native(url);
      }
    }
    const ws = world.link({ env: { WebSocket: Blocked } });
    await world.pass(500);
    expect(world.log.slice(0, 2)).toEqual(['0 attempt refused', '0 status connecting']);
    expect(ws.status.name).toBe('online');
  });
});
