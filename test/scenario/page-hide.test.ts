import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import { accepts, hangs, heartbeat, opensMute, refuses, sequence, World } from '../support/world.ts';

// The page is left and may come back from the back/forward cache: a clean end, nothing while it is away, and at once again.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const AWAY = { timers: 0, sockets: 0 };
const away = () => {
  const { timers, sockets } = world.left;
  return { timers, sockets };
};
const since = (ms: number) => world.log.filter((line) => Number.parseInt(line) >= ms);

describe('the page is left', () => {
  test('a clean close, no timer, nothing dialled; back again, it is dialled and replayed at once', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    ws.subscriptions.set('a', 'sub a');
    await world.pass(1_000);
    world.page('hide');
    expect(world.last.closedWith).toEqual({ code: 1000, reason: '' });
    await world.pass(50);
    expect(away()).toEqual(AWAY);
    expect(ws.status).toEqual({ name: 'offline', since: 1_001_000 });
    expect(ws.readyState).toBe(ws.CONNECTING);
    ws.send('waits');
    await world.pass(3_600_000);
    expect(world.sockets).toHaveLength(1);
    world.page('restored');
    await world.pass(200);
    expect(since(1_000)).toEqual([
      '1000 down suspended',
      '1000 status offline',
      '3601050 status connecting',
      '3601050 dial 2',
      '3601130 open',
      '3601130 attempt open',
      '3601130 up',
      '3601130 status online',
      '3601170 failover suspended',
    ]);
    expect(world.last.received).toEqual(['sub a', 'waits', 'ping']);
    expect(world.reports).toMatchObject([{ cause: 'suspended', queuedFlushed: 1, upAfterMs: 3_600_130 }]);
  });

  test('neither its clock nor the network dial while it is away', async () => {
    world.behaviour = sequence(accepts(), refuses());
    world.link({ policy: { fastAttempts: 1, baseMs: 10_000 }, heartbeat });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(500);
    // Waiting for its next dial.
    world.page('hide');
    world.online = false;
    world.page('offline');
    await world.pass(600_000);
    expect([world.sockets.length, away()]).toEqual([2, AWAY]);
  });

  test.each<[string, number, () => void]>([
    ['dialled for the first time', 40, () => {}],
    ['waiting for its answer', 100, () => {}],
    ['dialled again', 1_040, () => world.last.serverEnds()],
    ['suspect, with a dial under way', 1_400, () => (world.last.vanished = true)],
    ['draining, with a dial under way', 1_040, () => world.last.serverSends('{"msg":"drain"}', 0)],
    ['draining, its replacement replayed', 1_100, () => world.last.serverSends('{"msg":"drain"}', 0)],
    [
      'draining, its replacement not due yet',
      1_040,
      () => world.last.serverSends('{"msg":"drain","afterMs":9000,"spreadMs":9000}', 0),
    ],
  ])('while it is %s: nothing is left, and it comes back', async (_, ms, happens) => {
    world.behaviour = sequence(accepts(), accepts(), accepts());
    const ws = world.link({ policy: 'fast', heartbeat, serverNotices: true });
    ws.subscriptions.set('a', 'sub a');
    if (ms > 1_000) {
      await world.pass(1_000);
      happens();
      await world.pass(ms - 1_000);
    } else await world.pass(ms);
    world.page('hide');
    const dialled = world.sockets.length;
    await world.pass(600_000);
    expect([world.sockets.length, away(), ws.status.name]).toEqual([dialled, AWAY, 'offline']);
    for (const { closedWith } of world.sockets) expect(closedWith?.code ?? 1000).toBe(1000);
    world.page('restored');
    await world.pass(200);
    expect([world.sockets.length, ws.status.name]).toEqual([dialled + 1, 'online']);
    expect(world.last.received).toEqual(['sub a', 'ping']);
  });

  test('with a provider still asked: its answer is not dialled', async () => {
    let answer!: (url: string) => void;
    let aborted = false;
    const ws = world.link({}, ({ signal }) => {
      signal.addEventListener('abort', () => (aborted = true));
      return new Promise<string>((resolve) => (answer = resolve));
    });
    await world.pass(100);
    world.page('hide');
    answer('wss://app.example/late');
    await world.pass(60_000);
    expect([aborted, world.sockets.length, away()]).toEqual([true, 0, AWAY]);
    world.page('restored');
    await world.pass(1);
    answer('wss://app.example/ws');
    await world.pass(100);
    expect([ws.status.name, ws.url]).toEqual(['online', 'wss://app.example/ws']);
  });

  test('with a handshake under way: it gets no frame any more, and no answer', async () => {
    let ended: unknown;
    world.behaviour = opensMute();
    world.link({
      handshake: async (send, receive) => {
        send('login');
        await receive().catch((error: unknown) => (ended = error));
      },
    });
    await world.pass(100);
    world.page('hide');
    await world.pass(60_000);
    expect([ended, away()]).toMatchObject([{ kind: 'closed' }, AWAY]);
  });

  test('with a probe under way: aborted', async () => {
    world.fetchAnswer = (_url, init) =>
      new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(new Error('aborted'))));
    world.behaviour = refuses(10);
    world.link();
    await world.pass(100);
    world.page('hide');
    expect(world.fetches[0]!.init!.signal!.aborted).toBe(true);
    await world.pass(60_000);
    expect(away()).toEqual(AWAY);
  });

  test('with a warm standby: that is closed too, and sought again afterwards', async () => {
    let n = 0;
    world.behaviour = (socket) => accepts({ greeting: `node ${(n += 1)}` })(socket);
    const ws = world.link({ policy: 'fast', heartbeat, standby: 'warm', identify: (frame) => String(frame) });
    await world.pass(3_000);
    expect(ws.status).toMatchObject({ node: 'node 1', standby: 'node 2' });
    world.page('hide');
    await world.pass(600_000);
    expect([world.sockets.length, away(), world.sockets[1]!.closedWith]).toEqual([
      2,
      AWAY,
      { code: 1000, reason: '' },
    ]);
    world.page('restored');
    await world.pass(3_000);
    expect(ws.status).toMatchObject({ name: 'online', node: 'node 3', standby: 'node 4' });
  });

  test('left again before it was up again, any number of times', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    for (let i = 0; i < 20; i++) {
      world.page('hide');
      await world.pass(10_000);
      world.page('restored');
      await world.pass(40);
    }
    await world.pass(500);
    expect([ws.status.name, world.reports.length, away().sockets]).toEqual(['online', 1, 1]);
    expect(world.sockets).toHaveLength(21);
  });

  test('a page that flips back and forth stays inside the budget', async () => {
    world.link({ policy: 'frugal' });
    await world.pass(100);
    for (let i = 0; i < 200; i++) {
      world.page('hide');
      world.page('restored');
      await world.pass(50);
    }
    // Three fast lanes of 8, then 12 a minute.
    expect(world.sockets.length).toBeLessThanOrEqual(24 + 2 + 1);
  });

  test('closed while it is away: one `close`, nothing left, nothing comes back', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.page('hide');
    ws.close();
    await world.pass(100);
    expect(since(1_000)).toEqual([
      '1000 down suspended',
      '1000 status offline',
      '1000 status closed',
      '1000 error',
      '1000 close 1006',
    ]);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
    world.page('restored');
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
  });

  test('with the close frame still on its way: the page is left all the same', async () => {
    const ws = world.link();
    await world.pass(1_000);
    world.last.vanished = true;
    ws.close();
    world.page('hide');
    world.page('restored');
    await world.pass(2_000);
    expect(since(1_000)).toEqual(['1000 status closed', '2000 error', '2000 close 1006']);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  });

  test('a listener that closes the link because it is down', async () => {
    const ws = world.link({ heartbeat, standby: 'off' });
    ws.on('down', () => ws.close());
    await world.pass(1_000);
    world.page('hide');
    await world.pass(2_000);
    expect([ws.readyState, world.left]).toEqual([ws.CLOSED, { timers: 0, listeners: 0, sockets: 0 }]);
  });

  test('events per connection: `close` for the one that was ended', async () => {
    world.link({ events: 'per-connection' });
    await world.pass(1_000);
    world.page('hide');
    world.page('restored');
    await world.pass(200);
    const events = since(1_000).filter((line) => /^\d+ (open|close)/.test(line));
    expect(events.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['1000 close', '1080 open']);
  });
});

describe('the page is back', () => {
  test('although nobody said that it was left: its socket is dead, a new one is dialled at once', async () => {
    const ws = world.link({ policy: 'fast', heartbeat, hedge: false });
    await world.pass(1_000);
    world.last.vanished = true;
    world.page('restored');
    await world.pass(0);
    expect(world.sockets).toHaveLength(2);
    await world.pass(500);
    expect(world.reports).toMatchObject([{ cause: 'suspended', detectedAfterMs: 0, upAfterMs: 80 }]);
    expect(ws.stats()).toMatchObject({ suspicions: 0, failovers: 1 });
  });

  test.each<[string, FailoverOptions, number, string]>([
    ['suspect', { heartbeat }, 400, 'suspect'],
    ['draining', { serverNotices: true }, 100, 'online'],
  ])('while %s: the dial under way is its replacement', async (_, options, ms, name) => {
    world.behaviour = sequence(accepts(), hangs());
    const ws = world.link({ policy: 'fast', ...options });
    await world.pass(1_000);
    world.last.reply = () => undefined;
    if (options.serverNotices) world.last.serverSends('{"msg":"drain"}', 0);
    await world.pass(ms);
    expect([ws.status.name, world.sockets.length]).toEqual([name, 2]);
    world.page('restored');
    expect([ws.status.name, world.sockets.length]).toEqual(['connecting', 2]);
    expect(world.sockets[0]!.closedWith).toBeDefined();
    world.behaviour = accepts();
    await world.pass(1_000);
    expect(ws.status.name).toBe('online');
  });

  test.each(['visible', 'resume', 'online'] as const)('although only `%s` tells of it', async (event) => {
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.page('hide');
    await world.pass(60_000);
    world.page(event);
    await world.pass(100);
    expect([ws.status.name, world.sockets.length]).toEqual(['online', 2]);
  });

  test('in the middle of a long outage: a new fast lane, inside the budget', async () => {
    world.behaviour = refuses(10);
    world.random = 0.999;
    world.link({ policy: 'fast', probe: false });
    await world.pass(120_000);
    world.page('hide');
    await world.pass(600_000);
    const before = world.sockets.length;
    world.page('restored');
    await world.pass(85);
    // One after the other, as quickly as they are refused.
    expect(world.sockets.length - before).toBe(8);
    await world.pass(60_000);
    expect(world.sockets.length - before).toBeLessThanOrEqual(16 + 60);
  });

  test('without network: it waits for that', async () => {
    const ws = world.link();
    await world.pass(1_000);
    world.page('hide');
    world.online = false;
    world.page('restored');
    await world.pass(60_000);
    expect([ws.status.name, world.sockets.length]).toEqual(['offline', 1]);
    world.online = true;
    world.page('online');
    await world.pass(100);
    expect(ws.status.name).toBe('online');
  });
});
