import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import { accepts, hangs, heartbeat, opensMute, refuses, sequence, World } from '../support/world.ts';
import type { Behaviour, FakeSocket } from '../support/world.ts';

// A plain link moves from a node that still serves (drain notice, `reconnect()`): the new connection is told what the app has
// subscribed to, and is current when it has answered. 20 ms one way; an upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const DRAIN = '{"msg":"drain"}';
const FAST: FailoverOptions = { policy: 'fast', heartbeat, serverNotices: true };

/** Answers pings, and each subscription with its data. */
const serves =
  (name: string, served: Parameters<typeof accepts>[0] = {}): Behaviour =>
  (socket) =>
    accepts({
      reply: (frame) => (frame === 'ping' ? 'pong' : `${name}: ${String(frame)}`),
      ...served,
    })(socket);
/** As that, but its answers take so much longer. */
const slow =
  (name: string, stallMs: number): Behaviour =>
  (socket) => {
    serves(name)(socket);
    socket.stallMs = stallMs;
  };

const said = (socket: FakeSocket | undefined) => socket!.received.filter((frame) => frame !== 'ping');
const since = (ms: number) =>
  world.log.filter((line) => Number.parseInt(line) >= ms && !line.includes('status'));
const start = async (options: FailoverOptions = {}) => {
  const ws = world.link({ ...FAST, ...options });
  ws.subscriptions.set('a', 'sub a').set('b', 'sub b');
  await world.pass(1_000);
  const [old] = world.sockets;
  return { ws, old: old! };
};

describe('from a node that serves to one that answers', () => {
  test('replayed first, then asked; the old one serves until the answer; what the new one says waits for `open`', async () => {
    world.behaviour = sequence(serves('old'), serves('new'));
    const { ws, old } = await start();
    ws.reconnect();
    await world.pass(85);
    // Replayed, with the ping behind it, while the old one is the app's.
    old.serverSends('news of the old one', 0);
    ws.send('to the old one');
    await world.pass(34);
    old.serverSends('last news of the old one', 0);
    world.last.serverSends('a second word', 5);
    await world.pass(100);
    old.serverSends('too late', 0);
    await world.pass(100);
    expect(since(1_000)).toEqual([
      '1000 dial 2',
      '1085 message news of the old one',
      '1119 message last news of the old one',
      '1120 open',
      '1120 attempt open',
      '1120 message new: sub a',
      '1120 message new: sub b',
      '1120 failover manual',
      '1124 message a second word',
    ]);
    expect(said(old)).toEqual(['sub a', 'sub b', 'to the old one']);
    expect(world.sockets[1]!.received.slice(0, 3)).toEqual(['sub a', 'sub b', 'ping']);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b']);
    expect(old.closedWith).toEqual({ code: 1000, reason: '' });
    // The last word of the old one came at 1119, the first of the new one at 1120.
    expect(world.reports).toMatchObject([
      { cause: 'manual', upAfterMs: 120, downMs: 1, replayed: 2, queuedFlushed: 0, unconfirmedSends: 1 },
    ]);
    expect(ws.stats()).toMatchObject({ dials: 2, opens: 2, failovers: 1, suspicions: 0 });
  });

  test('what is set or deleted meanwhile: the old one is told at once, the new one of each change and of nothing twice', async () => {
    world.behaviour = sequence(serves('old'), slow('new', 200));
    const { ws, old } = await start();
    ws.reconnect();
    await world.pass(40);
    ws.subscriptions.set('c', 'sub c, before it was open');
    ws.subscriptions.delete('a');
    await world.pass(60);
    // Now it is replayed: b, c.
    ws.subscriptions.set('d', 'sub d');
    ws.subscriptions.set('b', 'sub b, changed');
    ws.subscriptions.set('e', 'sub e');
    ws.subscriptions.delete('e');
    await world.pass(500);
    const changes = ['sub d', 'sub b, changed'];
    expect(said(world.sockets[1])).toEqual(['sub b', 'sub c, before it was open', ...changes]);
    expect(said(old)).toEqual(['sub a', 'sub b', 'sub c, before it was open', ...changes, 'sub e']);
    expect(world.reports).toMatchObject([{ cause: 'manual', replayed: 3 }]);
  });

  test('what was set meanwhile goes before what open listeners send', async () => {
    world.behaviour = sequence(serves('old'), serves('new'));
    const { ws } = await start();
    ws.addEventListener('open', () => ws.send('greeting'));
    ws.reconnect();
    await world.pass(100);
    ws.subscriptions.set('c', 'sub c');
    await world.pass(200);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b', 'sub c', 'greeting']);
  });

  test('entries are asked once for each connection', async () => {
    const { ws } = await start();
    let asked = 0;
    ws.subscriptions.set('f', () => `f ${(asked += 1)}`);
    ws.reconnect();
    await world.pass(500);
    expect([asked, said(world.sockets[1])]).toEqual([2, ['sub a', 'sub b', 'f 2']]);
  });

  test('an entry that cannot be sent is warned of and keeps no other back', async () => {
    const { ws } = await start();
    const boom = () => {
      throw new Error('boom');
    };
    ws.subscriptions.clear();
    ws.subscriptions.set('x', boom).set('y', 'sub y');
    ws.reconnect();
    await world.pass(500);
    expect(said(world.sockets[1])).toEqual(['sub y']);
    expect(since(1_000).filter((line) => line.includes('warning'))).toEqual([
      '1000 warning callback',
      '1080 warning callback',
    ]);
  });

  test('the old one ends while the new one is waited for: it takes over at once, and is not replayed again', async () => {
    world.behaviour = sequence(serves('old'), slow('new', 200));
    const { ws, old } = await start();
    ws.reconnect();
    await world.pass(100);
    ws.subscriptions.set('c', 'sub c');
    old.serverEnds();
    ws.send('after it');
    await world.pass(500);
    expect(since(1_000)).toEqual([
      '1000 dial 2',
      '1100 down lost',
      '1100 open',
      '1100 attempt open',
      '1100 up',
      '1320 message new: sub a',
      '1320 failover manual',
      '1320 message new: sub b',
      '1340 message new: sub c',
      '1340 message new: after it',
    ]);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b', 'sub c', 'after it']);
    expect(world.sockets).toHaveLength(2);
  });

  test('the old one ends while the new one is dialled: the dial carries on', async () => {
    world.behaviour = sequence(serves('old'), serves('new', { openAfterMs: 200 }));
    const { ws, old } = await start();
    ws.reconnect();
    await world.pass(100);
    old.serverEnds();
    ws.send('held');
    await world.pass(500);
    expect(since(1_000).slice(0, 5)).toEqual([
      '1000 dial 2',
      '1100 down lost',
      '1200 open',
      '1200 attempt open',
      '1200 up',
    ]);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b', 'held']);
  });

  test('the old one falls silent while the new one is waited for: held, and handed over with the answer', async () => {
    world.behaviour = sequence(serves('old'), slow('new', 200));
    const { ws, old } = await start();
    old.vanished = true;
    // Its last ping went out at 1100 and is overdue at 1350.
    await world.pass(200);
    ws.reconnect();
    await world.pass(200);
    expect(ws.status.name).toBe('suspect');
    ws.send('held');
    ws.subscriptions.set('c', 'sub c');
    await world.pass(500);
    expect(since(1_100)).toEqual([
      '1200 dial 2',
      '1350 suspect after 550',
      '1520 open',
      '1520 attempt open',
      '1520 message new: sub a',
      '1520 failover manual',
      '1520 message new: sub b',
      '1760 message new: sub c',
      '1760 message new: held',
    ]);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b', 'sub c', 'held']);
    expect(said(old)).toEqual(['sub a', 'sub b']);
  });

  test.each<[string, Behaviour]>([
    ['ends', (socket) => (opensMute()(socket), void setTimeout(() => socket.serverEnds(), 100))],
    ['never answers', opensMute()],
    ['is refused', refuses(100)],
    ['hangs', hangs()],
  ])('a new one that %s: the old one serves on, and the next one is replayed whole', async (_, fails) => {
    world.behaviour = sequence(serves('old'), fails, fails, serves('new'));
    const { ws, old } = await start();
    ws.reconnect();
    await world.pass(90);
    ws.subscriptions.set('c', 'sub c');
    old.serverSends('news', 0);
    expect(world.log.at(-1)).toBe('1090 message news');
    await world.pass(3_000);
    expect(ws.stats()).toMatchObject({ dials: 4, dialFailures: 2, opens: 2, failovers: 1, suspicions: 0 });
    expect(said(world.sockets[3])).toEqual(['sub a', 'sub b', 'sub c']);
    expect(said(old)).toEqual(['sub a', 'sub b', 'sub c']);
    expect(world.log.filter((line) => /^\d+ (down|open)/.test(line))).toHaveLength(2);
  });

  test('what it is told while the old one is suspect reaches the new one too, although the old one answers after all', async () => {
    world.behaviour = sequence(serves('old'), slow('new', 230));
    const { ws, old } = await start();
    old.stallMs = 330;
    await world.pass(250);
    ws.reconnect();
    await world.pass(110);
    // Replayed at 1330; suspect since 1350; the old one answers at 1470, the new one at 1600.
    expect(ws.status.name).toBe('suspect');
    ws.subscriptions.set('c', 'sub c');
    await world.pass(150);
    expect([ws.status.name, said(old)]).toEqual(['online', ['sub a', 'sub b', 'sub c']]);
    await world.pass(500);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b', 'sub c']);
    expect(ws.stats()).toMatchObject({ dials: 2, failovers: 1, suspicions: 1 });
  });

  test('a new one that says much, but does not answer, is asked once and given up at its deadline', async () => {
    world.behaviour = sequence(
      serves('old'),
      accepts({ greeting: 'hello', reply: () => 'unknown message' }),
      (socket) => {
        opensMute()(socket);
        for (let ms = 90; ms < 2_000; ms += 10) socket.serverSends('tick', ms);
      },
      serves('new'),
    );
    const { ws } = await start();
    ws.reconnect();
    await world.pass(3_000);
    expect(
      world.sockets.map(({ received }) => received.filter((frame) => frame === 'ping').length).slice(1, 3),
    ).toEqual([1, 1]);
    expect(since(1_000).filter((line) => /dial|attempt/.test(line))).toEqual([
      '1000 dial 2',
      '1380 attempt timeout',
      '1380 dial 3',
      '1760 attempt timeout',
      '1760 dial 4',
      '1880 attempt open',
    ]);
    expect(ws.stats().rttMs).toBe(40);
  });

  test('a new one that greets measures the round trip as it is', async () => {
    world.behaviour = sequence(serves('old'), serves('new', { greeting: 'hello' }));
    const { ws } = await start();
    ws.reconnect();
    await world.pass(150);
    expect(ws.stats().rttMs).toBe(40);
    // With the replay, and when it is current.
    expect(world.sockets[1]!.received).toEqual(['sub a', 'sub b', 'ping', 'ping']);
  });

  test('a second notice, and `reconnect()`, while the new one is dialled or waited for change nothing', async () => {
    world.behaviour = sequence(serves('old'), slow('new', 200));
    const { ws, old } = await start();
    old.serverSends(DRAIN, 0);
    await world.pass(50);
    old.serverSends(DRAIN, 0);
    ws.reconnect();
    await world.pass(50);
    old.serverSends(DRAIN, 0);
    ws.reconnect();
    await world.pass(1_000);
    expect(since(1_000).filter((line) => !line.includes('message'))).toEqual([
      '1000 drain spread 0',
      '1005 dial 2',
      '1325 open',
      '1325 attempt open',
      '1325 failover drain',
    ]);
  });

  test('`reconnect()` cuts the spread of a notice short', async () => {
    const { ws, old } = await start();
    old.serverSends('{"msg":"drain","afterMs":60000,"spreadMs":60000}', 0);
    await world.pass(1_000);
    expect(world.sockets).toHaveLength(1);
    ws.reconnect();
    await world.pass(200);
    expect(since(2_000)).toEqual(['2000 dial 2', '2120 open', '2120 attempt open', '2120 failover drain']);
  });

  test('a notice from the node that was moved to is followed too', async () => {
    const { ws } = await start();
    for (const n of [2, 3, 4]) {
      world.last.serverSends(DRAIN, 0);
      await world.pass(1_000);
      expect([world.sockets.length, ws.stats().failovers]).toEqual([n, n - 1]);
    }
  });

  test("handshake first, and its frames are not the app's", async () => {
    world.behaviour = sequence(
      accepts({ reply: (frame) => (frame === 'login' ? 'welcome' : frame === 'ping' ? 'pong' : undefined) }),
    );
    const { ws, old } = await start({
      handshake: async (send, receive) => {
        send('login');
        await receive();
        send('confirmed');
      },
    });
    ws.reconnect();
    await world.pass(100);
    ws.subscriptions.set('c', 'sub c');
    await world.pass(500);
    expect(since(1_000)).toEqual(['1000 dial 2', '1160 open', '1160 attempt open', '1160 failover manual']);
    expect(world.sockets[1]!.received.slice(0, 6)).toEqual([
      'login',
      'confirmed',
      'sub a',
      'sub b',
      'sub c',
      'ping',
    ]);
    expect(said(old)).toEqual(['login', 'confirmed', 'sub a', 'sub b', 'sub c']);
  });

  test('a handshake that fails on the new one leaves the old one alone', async () => {
    let logins = 0;
    const { ws } = await start({
      handshake: () => ((logins += 1) === 2 ? Promise.reject(new Error('no')) : Promise.resolve()),
    });
    ws.reconnect();
    await world.pass(1_000);
    expect(since(1_000)).toEqual([
      '1000 dial 2',
      '1080 attempt handshake',
      '1080 dial 3',
      '1200 open',
      '1200 attempt open',
      '1200 failover manual',
    ]);
  });

  test('`open` listeners find it open, and what they send goes to the new one', async () => {
    const { ws, old } = await start();
    ws.addEventListener('open', () => {
      world.say(`readyState ${ws.readyState}`);
      ws.send('greeting');
    });
    ws.reconnect();
    await world.pass(200);
    expect(since(1_100)).toContain('1120 readyState 1');
    expect([said(world.sockets[1]).at(-1), said(old)]).toEqual(['greeting', ['sub a', 'sub b']]);
  });

  test('close() in the middle ends both', async () => {
    for (const ms of [40, 100]) {
      world.behaviour = sequence(serves('old'), slow('new', 200));
      const ws = world.link(FAST);
      ws.subscriptions.set('a', 'sub a');
      await world.pass(1_000);
      ws.reconnect();
      await world.pass(ms);
      ws.close();
      await world.pass(1_100);
      expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
      expect(world.story().filter((line) => /^\d+ (open|close)/.test(line))).toHaveLength(2);
      expect(ws.readyState).toBe(ws.CLOSED);
    }
  });
});

describe('where nothing can be asked', () => {
  test.each<[string, FailoverOptions]>([
    ['no heartbeat', { heartbeat: false }],
    ['a passive one', { heartbeat: { expectEveryMs: 10_000 } }],
  ])('%s: current when it is open, and replayed then', async (_, options) => {
    world.behaviour = sequence(serves('old'), serves('new'));
    const { ws, old } = await start(options);
    ws.reconnect();
    await world.pass(70);
    ws.send('to the old one');
    ws.subscriptions.set('c', 'sub c');
    await world.pass(300);
    expect(since(1_000).filter((line) => !line.includes('attempt'))).toEqual([
      '1000 dial 2',
      '1080 open',
      '1080 failover manual',
      '1120 message new: sub a',
      '1120 message new: sub b',
      '1120 message new: sub c',
    ]);
    expect(said(old)).toEqual(['sub a', 'sub b', 'to the old one', 'sub c']);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b', 'sub c']);
  });

  test('a heartbeat whose message throws: the next word of the new one will do', async () => {
    let broken = false;
    const message = () => {
      if (broken) throw new Error('boom');
      return 'ping';
    };
    world.behaviour = sequence(serves('old'), serves('new'));
    const { ws } = await start({ heartbeat: { ...heartbeat, message } });
    broken = true;
    ws.reconnect();
    await world.pass(1_000);
    expect([ws.stats().failovers, said(world.sockets[1])]).toEqual([1, ['sub a', 'sub b']]);
  });
});

describe('a layer above that wants to hear the old one out', () => {
  const layered = async (done: Promise<unknown>) => {
    const calls: string[] = [];
    world.behaviour = sequence(serves('old'), serves('new'));
    const { ws, old } = await start({
      layer: {
        replayed: () => Promise.resolve(0),
        leave: () => {
          calls.push('leave');
          return {
            frame: (data) => calls.push(`${Math.round(world.now)} ${String(data)}`),
            done,
            left: () => calls.push(`${Math.round(world.now)} left`),
          };
        },
      },
    });
    ws.reconnect();
    await world.pass(200);
    return { ws, old, calls };
  };
  const never = new Promise(() => {});

  test('it gets what the old one says; the app does not; at most for the cap of the deadlines', async () => {
    const { old, calls } = await layered(never);
    old.serverSends('late', 0);
    await world.pass(30_000);
    expect([calls, old.closedWith?.code]).toEqual([['leave', '1200 late', '11120 left'], 1000]);
    expect(world.log.join()).not.toContain('message late');
  });

  test('until it has heard enough', async () => {
    const { old, calls } = await layered(Promise.resolve());
    expect([calls, old.closedWith?.code]).toEqual([['leave', '1120 left'], 1000]);
  });

  test.each<[string, (ws: FailoverWebSocket) => void]>([
    ['the link is closed', (ws) => ws.close()],
    ['the page is left', () => world.page('hide')],
    ['the new one is lost', () => world.sockets[1]!.serverEnds()],
    ['the old one ends', () => world.sockets[0]!.serverEnds()],
    ['the old one is left again', (ws) => ws.reconnect()],
  ])('or %s: once, and nothing is left', async (_, happens) => {
    const { ws, calls } = await layered(never);
    happens(ws);
    await world.pass(150);
    expect(calls.filter((line) => line.includes('left'))).toHaveLength(1);
    expect(world.sockets[0]!.readyState).toBeGreaterThanOrEqual(2);
    ws.close();
    await world.pass(2_000);
    expect(calls.filter((line) => line.includes('left'))).toHaveLength(
      calls.filter((line) => line === 'leave').length,
    );
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  });
});

describe('events per connection', () => {
  test('`close` for the old one, then `open`: pairs', async () => {
    const { ws } = await start({ events: 'per-connection' });
    ws.reconnect();
    await world.pass(200);
    world.last.serverEnds();
    await world.pass(200);
    expect(since(1_000).filter((line) => /^\d+ (open|error|close)/.test(line))).toEqual([
      '1120 close 1000',
      '1120 open',
      '1200 error',
      '1200 close 1006',
      '1285 open',
    ]);
  });

  test.each<[string, FailoverOptions, (ws: FailoverWebSocket, old: FakeSocket) => void]>([
    ['reconnect()', {}, (ws) => ws.reconnect()],
    ['reconnect() without a heartbeat', { heartbeat: false }, (ws) => ws.reconnect()],
    ['a hang', {}, (_, old) => (old.vanished = true)],
  ])('%s: what a `close` listener sends and sets has its turn, once', async (_, options, moves) => {
    const { ws, old } = await start({ events: 'per-connection', ...options });
    ws.addEventListener('close', () => {
      world.say(`readyState ${ws.readyState}`);
      ws.send('from close');
      ws.subscriptions.set('c', 'sub c');
    });
    ws.addEventListener('open', () => ws.send('greeting'));
    moves(ws, old);
    await world.pass(1_000);
    expect(said(world.sockets[1])).toEqual(['sub a', 'sub b', 'sub c', 'greeting', 'from close']);
    expect(world.log.join()).toContain('readyState 0');
  });

  test.each<[string, FailoverOptions]>([
    ['', {}],
    [', without a heartbeat', { heartbeat: false }],
  ])('a `close` listener that closes the link: no `open` any more%s', async (_, options) => {
    const { ws } = await start({ events: 'per-connection', ...options });
    ws.addEventListener('close', () => ws.close());
    ws.reconnect();
    await world.pass(3_000);
    expect(world.log.filter((line) => /^\d+ open/.test(line))).toEqual(['80 open']);
    expect([ws.readyState, world.left]).toEqual([ws.CLOSED, { timers: 0, listeners: 0, sockets: 0 }]);
  });
});

describe('the spread that a node asks for ahead of time', () => {
  const names = (spreadMs: number) => JSON.stringify({ msg: 'node', id: 'n1', spreadMs });
  const link = async (greeting: string | undefined, options: FailoverOptions = {}) => {
    world.behaviour = sequence(accepts({ greeting }), accepts());
    const ws = world.link({ ...FAST, ...options });
    await world.pass(1_000);
    return ws;
  };

  test('its loss is followed by a wait of that width', async () => {
    await link(names(4_000));
    world.last.serverEnds();
    await world.pass(10_000);
    // Half of it, as chance is 0.5 here.
    expect(world.dialsAt()).toEqual([0, 3_000]);
  });

  test('so is its silence, while it may still answer', async () => {
    const ws = await link(names(4_000));
    world.last.vanished = true;
    await world.pass(10_000);
    expect(world.dialsAt()).toEqual([0, 3_350]);
    expect(ws.stats()).toMatchObject({ suspicions: 1, failovers: 1 });
  });

  test('so is its silence without a hedge', async () => {
    await link(names(4_000), { hedge: false });
    world.last.vanished = true;
    await world.pass(10_000);
    expect(world.dialsAt()).toEqual([0, 3_350]);
  });

  test('the last word counts, a new connection starts without, and a minute is the most', async () => {
    await link(names(4_000));
    world.last.serverSends(names(0), 0);
    world.last.serverEnds();
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(1_000);
    world.last.serverSends(names(1e9), 0);
    world.last.serverEnds();
    await world.pass(60_000);
    expect(world.dialsAt()).toEqual([0, 1_005, 2_005, 33_000]);
  });

  test('only the first dial of an outage is spread', async () => {
    world.behaviour = sequence(accepts({ greeting: names(4_000) }), refuses(), refuses(), accepts());
    world.link(FAST);
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(10_000);
    expect(world.dialsAt()).toEqual([0, 3_000, 3_080, 3_160]);
  });

  test('a drain notice has its own; `reconnect()` and a page that is back wait for nothing', async () => {
    const ws = await link(names(60_000));
    world.last.serverSends(DRAIN, 0);
    await world.pass(1_000);
    world.last.serverSends(names(60_000), 0);
    world.page('restored');
    await world.pass(1_000);
    world.last.serverSends(names(60_000), 0);
    ws.reconnect();
    await world.pass(1_000);
    expect(world.dialsAt()).toEqual([0, 1_005, 2_000, 3_000]);
  });

  test.each([
    ['no notice', undefined, {}],
    ['a notice nobody listens to', names(4_000), { serverNotices: false }],
  ])('%s: a lone client is not held back by more than 20 ms', async (_, greeting, options) => {
    world.random = 0.999;
    await link(greeting, { policy: { preset: 'fast', spreadMs: 20 }, ...options });
    world.last.serverEnds();
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(1_000);
    const [, lost, silent] = world.dialsAt();
    expect(lost! - 1_000).toBeLessThanOrEqual(20);
    const suspectedAt = Number.parseInt(world.log.find((line) => line.includes('suspect after'))!);
    expect(silent! - suspectedAt).toBeLessThanOrEqual(20);
  });
});
