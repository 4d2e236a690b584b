import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Cluster } from '../../support/ddp-cluster.ts';
import { createMeteorApp, MeteorWorld } from '../../support/meteor.ts';
import { byHost, hangs, refuses, sequence, type FakeSocket } from '../../support/world.ts';

// An upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: MeteorWorld;
let cluster: Cluster;
beforeEach(() => {
  world = new MeteorWorld();
  cluster = world.cluster;
});
afterEach(() => {
  vi.restoreAllMocks();
  world.dispose();
});

const install: MeteorWorld['install'] = (...args) => world.install(...args);
const up: MeteorWorld['up'] = (...args) => world.up(...args);
const drain = (socket: FakeSocket) => cluster.say(socket, { msg: 'drain', afterMs: 60_000, spreadMs: 0 });
const openSockets = () => world.sockets.filter(({ readyState }) => readyState < 2).length;
/** The messages the app sent on each connection. */
const said = () =>
  world.sockets.map(({ received }) =>
    received
      .map((frame) => (JSON.parse(frame as string) as { msg: string }).msg)
      .filter((msg) => msg !== 'ping')
      .join(' '),
  );

describe('leaving Meteor’s own stream', () => {
  test('uninstalled while an answer is awaited: the app notices nothing', async () => {
    world.behaviour = cluster.node({ methodMs: 1_000 });
    const app = createMeteorApp(world);
    await world.pass(100);
    app.call('put', ['b', 2]);
    const { uninstall } = install(app);
    await world.pass(300);
    expect(openSockets()).toBe(2);
    uninstall();
    await world.pass(2_000);
    expect(app._stream.status().connected).toBe(true);
    expect(app.told).toEqual(['reset']);
    expect(app.settled).toEqual(['1 "b"']);
    expect(openSockets()).toBe(1);
  });

  test('it is lost while an answer is awaited: the call goes out at once on the new one', async () => {
    world.behaviour = sequence(
      cluster.node({ methodMs: 1_000 }),
      cluster.node({ openAfterMs: 80 }),
      refuses(),
    );
    const app = createMeteorApp(world);
    await world.pass(100);
    app.call('put', ['b', 2]);
    install(app);
    await world.pass(300);
    world.sockets[0]!.vanished = true;
    world.sockets[0]!.dispatchEvent(Object.assign(new Event('close'), { code: 1006 }));
    await world.pass(300);
    expect(app.settled).toEqual(['1 "b"']);
    expect(app._stream.status().connected).toBe(true);
    expect(openSockets()).toBe(1);
  });
});

test('Meteor’s own stream serves until its subscriptions are ready, so that nothing flickers', async () => {
  world.behaviour = cluster.node({ subMs: 1_000 });
  const app = createMeteorApp(world);
  app.subscribe('docs');
  await world.pass(100);
  install(app);
  await world.pass(900);
  expect(said()).toEqual(['connect sub', '']);
  await world.pass(1_500);
  expect(said()).toEqual(['connect sub', 'connect sub']);
  expect(app.events).toEqual(['added a']);
  expect(openSockets()).toBe(1);
});

test('a subscription that is never ready delays the move by five seconds, and no call is cut off then', async () => {
  world.behaviour = cluster.node({ subMs: 1e6, methodMs: 500 });
  const app = createMeteorApp(world);
  app.subscribe('docs');
  await world.pass(100);
  install(app);
  await world.pass(4_800);
  app.call('put', ['b', 2]);
  await world.pass(400);
  expect(said()[1]).toBe('');
  await world.pass(1_000);
  expect(said()[1]).toBe('connect sub');
  expect(cluster.ran).toEqual(['b,2@1']);
  expect(openSockets()).toBe(1);
});

test('the reason of a permanent failure is still there after uninstalling', async () => {
  const { app, uninstall } = await up();
  app._stream.disconnect({ _permanent: true, _error: 'no common version' });
  uninstall();
  expect(app._stream.status()).toMatchObject({ status: 'failed', reason: 'no common version' });
});

describe('moving with reconnect({ url })', () => {
  test('moved again before the first move is over: nothing is left of the first', async () => {
    const { app } = await up();
    world.behaviour = byHost({ 'b.example': hangs(), 'c.example': cluster.node() });
    app._stream.reconnect({ url: 'https://b.example' });
    await world.pass(30);
    app._stream.reconnect({ url: 'https://c.example' });
    await world.pass(3_000);
    expect(world.hosts()).toBe('aabc');
    expect(openSockets()).toBe(1);
    expect(app.events).toEqual(['added a']);
    app._stream.disconnect();
    await world.pass(2_000);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  });

  test('the old one is lost before the new one opens: its call goes out as soon as that opens', async () => {
    const { app } = await up(undefined, cluster.node({ methodMs: 1_000 }));
    const [, old] = world.sockets;
    app.call('put', ['b', 2]);
    await world.pass(30);
    world.behaviour = cluster.node({ openAfterMs: 400 });
    app._stream.reconnect({ url: 'https://b.example' });
    await world.pass(50);
    old!.vanished = true;
    old!.dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '', wasClean: false }));
    expect(app._stream.status()).toMatchObject({ status: 'connecting', connected: false });
    expect(app.told).toEqual(['disconnect']);
    await world.pass(500);
    expect(app._stream.status().connected).toBe(true);
    expect(app.settled).toEqual(['2 "b"']);
    expect(app.events).toEqual(['added a', 'added b']);
  });

  test('the old one is lost while its answer is awaited: the call goes out at once on the new one', async () => {
    const { app } = await up(undefined, cluster.node({ methodMs: 5_000 }));
    const [, old] = world.sockets;
    app.call('put', ['b', 2]);
    await world.pass(30);
    world.behaviour = cluster.node();
    app._stream.reconnect({ url: 'https://b.example' });
    await world.pass(300);
    old!.vanished = true;
    old!.dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '', wasClean: false }));
    await world.pass(200);
    expect(app.settled).toEqual(['2 "b"']);
    expect(app._stream.status().connected).toBe(true);
    expect(openSockets()).toBe(1);
  });

  test('the new one is lost and back while an answer of the old one is awaited: Meteor starts over once', async () => {
    const { app } = await up(undefined, cluster.node({ methodMs: 1_000 }));
    app.call('put', ['b', 2]);
    await world.pass(30);
    world.behaviour = cluster.node();
    app._stream.reconnect({ url: 'https://b.example' });
    await world.pass(300);
    world.last.serverEnds();
    await world.pass(300);
    expect(said().slice(2)).toEqual(['', '']);
    await world.pass(1_000);
    expect(said().slice(2)).toEqual(['', 'connect sub']);
    expect(app.settled).toEqual(['2 "b"']);
  });

  test('a call made while answers of the old one are awaited is awaited as well', async () => {
    const { app } = await up(undefined, cluster.node({ methodMs: 500 }));
    app.call('put', ['b', 2]);
    await world.pass(30);
    world.behaviour = cluster.node();
    app._stream.reconnect({ url: 'https://b.example' });
    await world.pass(350);
    app.call('put', ['c', 3], true);
    await world.pass(2_000);
    expect(cluster.ran).toEqual(['b,2@2', 'c,3@2']);
    expect(app.settled).toEqual(['2 "b"', '3 "c"']);
    expect(said().slice(2)).toEqual(['connect sub']);
  });

  test('away from a node that drains: Meteor starts over once', async () => {
    const { app } = await up(undefined, cluster.node({ methodMs: 1_000 }));
    app.call('put', ['b', 2]);
    await world.pass(30);
    world.behaviour = cluster.node();
    drain(world.last);
    await world.pass(300);
    app.call('put', ['c', 3]);
    app._stream.reconnect({ url: 'https://b.example' });
    await world.pass(2_000);
    expect(said().slice(2)).toEqual(['', 'connect method sub']);
    expect(cluster.ran.map((run) => run.slice(0, 3)).sort()).toEqual(['b,2', 'c,3']);
    expect(app.settled.sort()).toEqual(['2 "b"', '3 "c"']);
    expect(openSockets()).toBe(1);
  });

  test('an empty url moves nothing', async () => {
    const { app } = await up();
    for (const options of [null, {}, { url: null }, { url: '' }]) app._stream.reconnect(options as never);
    await world.pass(500);
    expect(world.sockets).toHaveLength(2);
    app._stream.disconnect(null as never);
    expect(app._stream.status().status).toBe('offline');
  });
});

describe('a drain', () => {
  test('the next node drains as well before the first one has answered: Meteor starts over once, on the last', async () => {
    const { app } = await up(undefined, cluster.node({ methodMs: 3_000 }));
    app.call('put', ['b', 2]);
    await world.pass(30);
    world.behaviour = cluster.node();
    drain(world.last);
    await world.pass(500);
    expect(world.sockets).toHaveLength(3);
    drain(world.last);
    await world.pass(500);
    app.call('put', ['c', 3]);
    await world.pass(4_000);
    // Only two of three connections are kept: the call on the first is sent again, as after any reconnection.
    expect(said().slice(2)).toEqual(['', 'connect method sub method']);
    expect(app.settled).toEqual(['2 "b"', '3 "c"']);
    expect(openSockets()).toBe(1);
  });
});

describe('a call with noRetry that was not sent yet is sent once', () => {
  test('while a node that drains is being left', async () => {
    const { app } = await up(undefined, cluster.node({ methodMs: 400 }));
    app.call('put', ['b', 2], true);
    await world.pass(30);
    drain(world.last);
    await world.pass(200);
    app.call('put', ['c', 3], true);
    await world.pass(2_000);
    expect(cluster.ran).toEqual(['b,2@2', 'c,3@3']);
    expect(app.settled).toEqual(['2 "b"', '3 "c"']);
  });

  test('while the link is suspect; one that was sent before fails', async () => {
    const { app } = await up();
    world.last.vanished = true;
    app.call('put', ['b', 2], true);
    await world.pass(650);
    app.call('put', ['c', 3], true);
    await world.pass(2_000);
    expect(cluster.ran).toEqual(['c,3@3']);
    expect(app.settled).toEqual(['2 "invocation-failed"', '3 "c"']);
  });

  test('while the link is suspect and answers late: that call is at risk from then on', async () => {
    const { app } = await up();
    const [, old] = world.sockets;
    world.behaviour = hangs();
    old!.stallMs = 700;
    await world.pass(750);
    app.call('put', ['b', 2], true);
    old!.stallMs = 0;
    old!.reply = () => undefined;
    await world.pass(200);
    world.behaviour = cluster.node();
    old!.serverEnds();
    await world.pass(1_000);
    expect(app.settled).toEqual(['2 "invocation-failed"']);
    expect(cluster.ran).toEqual([]);
  });

  test('while there is no connection', async () => {
    const { app } = await up();
    app._stream.disconnect();
    app.call('put', ['b', 2], true);
    app._stream.reconnect();
    await world.pass(300);
    expect(cluster.ran).toEqual(['b,2@3']);
    expect(app.settled).toEqual(['2 "b"']);
  });
});

test('Meteor’s own heartbeat gives a connection up: no answer is awaited on it', async () => {
  const { app } = await up({ heartbeat: false }, cluster.node({ methodMs: 1_000 }));
  app.call('put', ['b', 2]);
  await world.pass(30);
  world.last.vanished = true;
  world.behaviour = cluster.node();
  app._stream._lostConnection();
  await world.pass(300);
  expect(app.settled).toEqual(['2 "b"']);
});
