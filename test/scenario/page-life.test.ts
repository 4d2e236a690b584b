import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, hangs, heartbeat, refuses, sequence, World } from '../support/world.ts';

let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const goes = (online: boolean) => {
  world.online = online;
  world.page(online ? 'online' : 'offline');
};

describe('no network', () => {
  test('at the start: nothing is dialled until it comes', async () => {
    world.online = false;
    const ws = world.link();
    expect(ws.status).toEqual({ name: 'offline', since: 1_000_000 });
    await world.pass(60_000);
    expect(world.log).toEqual([]);
    goes(true);
    await world.pass(100);
    expect(world.log).toEqual([
      '60000 status connecting',
      '60000 dial 1',
      '60080 open',
      '60080 attempt open',
      '60080 up first',
      '60080 status online',
    ]);
  });

  test('in an outage: a wait is off, nothing is dialled, and the network ends it at once', async () => {
    world.behaviour = sequence(accepts(), refuses());
    const ws = world.link({ policy: { fastAttempts: 1, baseMs: 10_000 } });
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(200);
    expect(ws.status.name).toBe('waiting');
    goes(false);
    expect(ws.status).toEqual({ name: 'offline', since: 1_000_100 });
    await world.pass(600_000);
    expect(world.sockets).toHaveLength(2);
    world.behaviour = accepts();
    goes(true);
    await world.pass(80);
    expect(ws.status.name).toBe('online');
  });

  test('while online: the connection is used as long as it lives; its end waits for the network', async () => {
    const ws = world.link();
    await world.pass(100);
    goes(false);
    world.last.serverSends('still there', 0);
    expect([ws.status.name, world.log.at(-1)]).toEqual(['online', '100 message still there']);
    world.last.serverEnds();
    await world.pass(60_000);
    expect([ws.status.name, world.sockets.length]).toEqual(['offline', 1]);
  });

  test('while dialling: the dial may still win', async () => {
    const ws = world.link();
    await world.pass(40);
    goes(false);
    await world.pass(100);
    expect(ws.status.name).toBe('online');
  });

  test('while suspect: no hedge without network, and with it at once', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    goes(false);
    world.last.vanished = true;
    await world.pass(5_000);
    expect([ws.status.name, world.sockets.length]).toEqual(['suspect', 1]);
    goes(true);
    await world.pass(200);
    expect(world.log.slice(-5)).toEqual([
      '6000 dial 2',
      '6120 open',
      '6120 attempt open',
      '6120 status online',
      '6120 failover silent',
    ]);
  });

  test.each(['ws://localhost:3000/ws', 'ws://127.0.0.1/ws', 'ws://[::1]:3000/'])(
    'is none of the business of %s',
    async (url) => {
      world.online = false;
      const ws = world.link({}, url);
      await world.pass(100);
      expect(ws.status.name).toBe('online');
      world.last.serverEnds();
      goes(false);
      await world.pass(100);
      expect(ws.status.name).toBe('online');
    },
  );

  test('reconnect() knows better than the browser', async () => {
    world.online = false;
    const ws = world.link();
    await world.pass(100);
    ws.reconnect();
    await world.pass(100);
    expect(ws.status.name).toBe('online');
  });
});

describe('the page wakes', () => {
  test.each(['online', 'visible', 'resume'] as const)(
    '%s: a connection is asked at once, with a deadline of its round trip',
    async (event) => {
      world.behaviour = sequence(accepts(), hangs());
      world.link({ policy: 'frugal', heartbeat });
      await world.pass(5_000);
      world.last.vanished = true;
      expect(world.last.received).toEqual(['ping']);
      world.page(event);
      // frugal: 1 s floor instead of 15 s of silence and 10 s for an answer.
      await world.pass(1_000);
      expect(world.log.at(-2)).toBe('6000 suspect after 5880');
    },
  );

  test('a connection that answers is left alone', async () => {
    const ws = world.link({ policy: 'frugal', heartbeat });
    await world.pass(5_000);
    world.page('visible');
    world.page('online');
    await world.pass(1_000);
    expect([world.last.received, ws.stats().suspicions]).toEqual([['ping', 'ping'], 0]);
  });

  test('touched after it was idle: asked; touched while in use: not', async () => {
    world.link({ policy: 'frugal', heartbeat });
    await world.pass(30_000);
    const before = world.last.received.length;
    world.page('active');
    await world.pass(100);
    expect(world.last.received).toHaveLength(before);
    await world.pass(100_000);
    const idle = world.last.received.length;
    world.page('active');
    await world.pass(100);
    expect(world.last.received).toHaveLength(idle + 1);
  });

  test.each(['online', 'visible', 'resume'] as const)(
    '%s: a wait is cut short, inside the budget',
    async (event) => {
      world.behaviour = refuses(10);
      const ws = world.link({ policy: { capMs: 60_000, baseMs: 60_000 } });
      await world.pass(1_000);
      expect(ws.status.name).toBe('waiting');
      const before = world.sockets.length;
      world.page(event);
      await world.pass(1);
      expect(world.sockets.length).toBe(before + 1);
      for (let i = 0; i < 200; i++) {
        world.page(event);
        await world.pass(50);
      }
      // 24 at most at once, then 30 a minute.
      expect(world.sockets.length).toBeLessThanOrEqual(24 + 11_000 / 2_000 + 1);
    },
  );

  test('without a heartbeat there is nothing to ask with', async () => {
    world.link();
    await world.pass(100);
    world.page('visible');
    world.page('active');
    await world.pass(100_000);
    expect(world.last.received).toEqual([]);
  });
});

test('back from the back/forward cache: the socket is dead although it looks open', async () => {
  world.behaviour = sequence(accepts(), accepts({ greeting: 'again' }));
  const ws = world.link();
  await world.pass(1_000);
  ws.send('before');
  world.last.vanished = true;
  world.page('restored');
  await world.pass(500);
  expect(world.log.slice(5)).toEqual([
    '1000 down suspended',
    '1000 status waiting',
    '1000 status connecting',
    '1000 dial 2',
    '1080 open',
    '1080 attempt open',
    '1080 up',
    '1080 status online',
    '1080 message again',
    '1080 failover suspended',
  ]);
  expect(world.reports).toMatchObject([{ cause: 'suspended', detectedAfterMs: 0, unconfirmedSends: 1 }]);
  expect(world.sockets[0]!.closedWith).toBeDefined();
});

describe('a page that was blocked or asleep', () => {
  test('asks again instead of suspecting: the answers may be waiting behind it', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    // A ping goes out at 420; before its answer is heard, the page is blocked.
    await world.pass(430);
    world.last.stallMs = 500;
    world.sleep(5_000);
    await world.pass(240);
    world.last.stallMs = 0;
    await world.pass(2_000);
    expect(ws.stats()).toMatchObject({ suspicions: 0, failovers: 0 });
    expect(world.log.filter((line) => !line.startsWith('80 '))).toEqual(['0 dial 1']);
  });

  test('finds out when nobody answers then', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(200);
    world.sleep(60_000);
    await world.pass(500);
    expect(ws.stats()).toMatchObject({ suspicions: 1 });
  });

  // A timer that fires late says nothing about the server, as with an active heartbeat.
  test('does not suspect a server that speaks by itself either', async () => {
    world.behaviour = (socket) => {
      accepts()(socket);
      const speak = () => {
        socket.serverSends('tick', 0);
        setTimeout(speak, 1_000);
      };
      setTimeout(speak, 1_000);
    };
    const ws = world.link({ heartbeat: { expectEveryMs: 1_000 } });
    await world.pass(1_900);
    // Blocked for 10 s; then the timers come first and the frames behind them.
    world.last.stallMs = 700;
    world.sleep(10_000);
    await world.pass(5_000);
    expect(ws.stats().suspicions).toBe(0);
  });
});

describe('how often it pings', () => {
  const pingsIn = async (ms: number) => {
    const before = world.last.received.length;
    await world.pass(ms);
    return world.last.received.length - before;
  };

  test('less on a page that is hidden, or was not touched for a minute; at once again when it is used', async () => {
    world.link({ policy: 'fast', heartbeat });
    await world.pass(100);
    // 300 ms after each answer, which takes 40.
    expect(await pingsIn(10_000)).toBe(29);
    await world.pass(60_000);
    expect(await pingsIn(50_400)).toBe(10);
    world.page('active');
    // One more: it is asked at once.
    expect(await pingsIn(10_000)).toBe(30);
    world.visible = false;
    await world.pass(340);
    expect(await pingsIn(50_400)).toBe(10);
  });
});
