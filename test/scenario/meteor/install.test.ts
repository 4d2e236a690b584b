import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { installFailover } from '../../../src/meteor/index.ts';
import { endpointOf } from '../../../src/meteor/url.ts';
import type { Cluster } from '../../support/ddp-cluster.ts';
import { createMeteorApp, MeteorWorld } from '../../support/meteor.ts';
import { hangs, opensMute, refuses, sequence } from '../../support/world.ts';

// An upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: MeteorWorld;
let cluster: Cluster;
beforeEach(() => {
  world = new MeteorWorld();
  cluster = world.cluster;
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  world.dispose();
});

const install: MeteorWorld['install'] = (...args) => world.install(...args);
const up: MeteorWorld['up'] = (...args) => world.up(...args);
const paths = () => world.sockets.map(({ url }) => new URL(url).pathname);
const openSockets = () => world.sockets.filter(({ readyState }) => readyState < 2).length;
/** The frames the app sent on a connection. */
const frames = (socket = world.last) =>
  socket.received
    .map((frame) => JSON.parse(frame as string) as Record<string, unknown>)
    .filter(({ msg }) => msg !== 'ping');
const said = (socket = world.last) => frames(socket).map(({ msg }) => msg);

describe('installing', () => {
  test('before the first connection: Meteor’s own dial is given up, the link carries everything', async () => {
    world.behaviour = cluster.node();
    const { app } = install();
    app.subscribe('docs');
    app.call('put', ['b', 2]);
    await world.pass(10);
    expect(openSockets()).toBe(1);
    await world.pass(300);
    // Once as Meteor's own dial is given up, once before `reset`.
    expect(app.told).toEqual(['disconnect', 'disconnect', 'reset']);
    expect(said()).toEqual(['connect', 'method', 'sub']);
    expect(app.settled).toEqual(['2 "b"']);
    expect(app.events).toEqual(['added a', 'added b']);
  });

  test('on a live connection: that serves until the link is open, and nothing flickers', async () => {
    world.behaviour = cluster.node();
    const app = createMeteorApp(world);
    app.subscribe('docs');
    await world.pass(300);
    const { statusListeners } = app._stream as never as { statusListeners: { changes: number } };
    const { changes } = statusListeners;
    const original = app._stream;
    install(app);
    app.call('put', ['b', 2]);
    await world.pass(60);
    expect(app.events).toEqual(['added a', 'added b']);
    expect(said(world.sockets[0])).toEqual(['connect', 'sub', 'method']);
    await world.pass(300);
    expect(said(world.sockets[1])).toEqual(['connect', 'sub']);
    expect(app.events).toEqual(['added a', 'added b']);
    expect(cluster.ran).toEqual(['b,2@1']);
    expect(openSockets()).toBe(1);
    expect(app._stream.status().connected).toBe(true);
    // No computation that depends on the status runs again.
    expect(statusListeners.changes - changes).toBe(0);
    expect(original.currentStatus.status).toBe('offline');
  });

  test('on a live connection with a call under way: the call is answered there, and runs once', async () => {
    world.behaviour = cluster.node({ methodMs: 1_000 });
    const app = createMeteorApp(world);
    await world.pass(100);
    app.call('put', ['b', 2]);
    install(app);
    await world.pass(1_000);
    expect(said(world.sockets[1])).toEqual([]);
    await world.pass(500);
    expect(app.settled).toEqual(['1 "b"']);
    expect(cluster.ran).toEqual(['b,2@1']);
    expect(said(world.sockets[1])).toEqual(['connect']);
  });

  test('a second time changes nothing', async () => {
    const { app, uninstall } = await up();
    expect(install(app).uninstall).toBe(uninstall);
    await world.pass(1_000);
    expect(world.sockets).toHaveLength(2);
  });

  test('on a connection its app has closed: it stays closed until the app opens it', async () => {
    world.behaviour = cluster.node();
    const app = createMeteorApp(world);
    app._stream.disconnect();
    install(app);
    await world.pass(1_000);
    expect(app._stream.status()).toMatchObject({ status: 'offline', connected: false });
    expect(openSockets()).toBe(0);
    app._stream.reconnect();
    await world.pass(100);
    expect(app._stream.status().connected).toBe(true);
  });

  test.each([
    [
      'a missing connection',
      undefined,
      /^connection: expected `Meteor\.connection` or a connection that `DDP\.connect` returned, got undefined\. On the server there is none: call it in client code\.$/,
    ],
    ['a bad transport', { transport: 'xhr' }, /^options.transport: expected sockjs, websocket, got "xhr"/],
    [
      'a bad bound',
      { fallbackAfterMs: -1 },
      /^options.fallbackAfterMs: expected a number from 1000 to Infinity, got -1/,
    ],
    ['a bad policy', { policy: 'quick' }, /^policy: expected/],
    [
      'an unknown option',
      { polciy: 'fast' },
      /^options: expected .*transport.*, got "polciy"\. Did you mean "policy"\?$/,
    ],
    ['a bound of null', { fallbackAfterMs: null }, /^options.fallbackAfterMs: .* got null/],
    ['a string in place of options', 'fast', /^options: expected an object, got "fast"/],
    [
      'a standby',
      { standby: 'warm' },
      /^options.standby: expected no value \(a Meteor server .*\), got "warm"\.$/,
    ],
    [
      'a layer',
      { layer: {} },
      /^options.layer: expected no value \(installFailover sets this option itself\)/,
    ],
    [
      'events',
      { events: 'link' },
      /^options.events: expected no value \(installFailover sets .*\), got "link"\.$/,
    ],
  ])('%s is a RangeError that says so', (_, options, message) => {
    const app = options ? createMeteorApp(world) : undefined;
    expect(() => installFailover(app as never, options as never)).toThrow(RangeError);
    expect(() => installFailover(app as never, options as never)).toThrow(message);
  });

  test('an unknown Meteor stays on its own stream, with a warning', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const app = createMeteorApp(world);
    const stream = app._stream;
    (stream as never as { forEachCallback: unknown }).forEachCallback = undefined;
    const { uninstall } = install(app);
    expect(app._stream).toBe(stream);
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/installFailover changed nothing, .* Expected a client connection of Meteor/),
    );
    uninstall();
    expect(app._stream).toBe(stream);
  });

  test('a connection without retries stays as its app wanted it', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const app = createMeteorApp(world);
    (app._stream.options as { retry: boolean }).retry = false;
    const stream = app._stream;
    install(app);
    expect(app._stream).toBe(stream);
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('made with `retry: false`'));
  });

  test('without a WebSocket class it throws, and changes nothing', () => {
    const app = createMeteorApp(world);
    const stream = app._stream;
    expect(() => install(app, { env: { WebSocket: undefined } })).toThrow(
      expect.objectContaining({
        name: 'FailoverError',
        kind: 'unsupported',
        message: expect.stringContaining('On Node 20 pass `env: { WebSocket }`') as string,
      }),
    );
    expect(app._stream).toBe(stream);
  });

  test('a link that never comes up goes back to Meteor’s own stream after fallbackAfterMs', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    world.behaviour = refuses();
    const app = createMeteorApp(world);
    const stream = app._stream;
    install(app, { fallbackAfterMs: 3_000 });
    await world.pass(2_900);
    expect(app._stream).not.toBe(stream);
    world.behaviour = cluster.node();
    await world.pass(200);
    expect(app._stream).toBe(stream);
    expect(stream.status().connected).toBe(true);
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/No WebSocket connection within 3000 ms \(`fallbackAfterMs`\)/),
    );
    expect(openSockets()).toBe(1);
  });
});

describe('where it dials', () => {
  test.each([
    ['/', false, {}, '/sockjs'],
    ['/', false, { ROOT_URL_PATH_PREFIX: '/app' }, '/app/sockjs'],
    ['/', true, { ROOT_URL: 'https://app.example/' }, 'https://app.example/websocket'],
    ['/', true, { ROOT_URL: 'https://app.example/app' }, 'https://app.example/app/websocket'],
    ['/', true, {}, '/websocket'],
    ['https://other.example', false, { ROOT_URL_PATH_PREFIX: '/app' }, 'https://other.example/sockjs'],
    ['https://other.example/deep/', true, {}, 'https://other.example/deep/websocket'],
    ['other.example', false, {}, 'http://other.example/sockjs'],
    ['ddp+sockjs://ddp--**-x.example/sockjs', false, {}, 'https://ddp--77-x.example/sockjs'],
    ['ddpi+sockjs://x.example/sockjs', false, {}, 'http://x.example/sockjs'],
  ])('%s, raw %s, %o → %s', (rawUrl, raw, config, expected) => {
    expect(endpointOf(rawUrl, raw, config, () => 7)).toBe(expected);
  });

  test('SockJS paths, a new one for every dial', async () => {
    world.behaviour = sequence(hangs(), refuses());
    install(undefined, { transport: 'sockjs' });
    await world.pass(500);
    const [, ...ours] = paths();
    expect(ours.length).toBeGreaterThan(2);
    for (const path of ours) expect(path).toMatch(/^\/sockjs\/\w{8}\/\w{8}\/websocket$/);
  });

  test.each([
    [{}, /^\/sockjs\/.*\/websocket$/],
    [{ DISABLE_SOCKJS: true }, /^\/websocket$/],
    [{ DDP_TRANSPORT: 'uws' }, /^\/websocket$/],
    [{ DDP_TRANSPORT: 'sockjs' }, /^\/sockjs\//],
  ])('as the app’s server says: %o', async (config, path) => {
    vi.stubGlobal('__meteor_runtime_config__', config);
    installFailover(createMeteorApp(world), { env: world.env });
    await world.pass(10);
    expect(paths()[1]).toMatch(path);
  });
});

describe('a failover', () => {
  test('the socket ends: dialled at once, everything sent again in one flight, no event without a change', async () => {
    const { app, uninstall } = await up();
    cluster.docs.set('b', { n: 2 });
    world.last.serverEnds();
    await world.pass(300);
    expect(app.told).toEqual(['disconnect', 'disconnect', 'reset']);
    expect(said()).toEqual(['connect', 'sub']);
    expect(app.events).toEqual(['added a', 'added b']);
    expect(app._stream.status()).toEqual({ status: 'connected', connected: true, retryCount: 0 });
    expect(uninstall.link!.stats()).toMatchObject({ opens: 2, failovers: 1 });
  });

  test('Meteor.status() shows each step', async () => {
    const { app } = await up();
    const steps: unknown[] = [];
    const { statusChanged } = app._stream;
    app._stream.statusChanged = () => {
      statusChanged();
      steps.push({ ...app._stream.currentStatus });
    };
    world.behaviour = sequence(
      refuses(),
      refuses(),
      refuses(),
      refuses(),
      refuses(),
      refuses(),
      refuses(),
      refuses(),
      refuses(),
      cluster.node(),
    );
    world.last.serverEnds();
    await world.pass(8_000);
    expect(steps[0]).toMatchObject({ connected: false });
    expect(steps).toContainEqual({ status: 'connecting', connected: false, retryCount: 1 });
    expect(steps).toContainEqual({
      status: 'waiting',
      connected: false,
      retryCount: 8,
      retryTime: expect.any(Number) as number,
    });
    expect(steps.at(-1)).toEqual({ status: 'connected', connected: true, retryCount: 0 });
  });

  test('silence: a replacement is dialled beside it; what is called meanwhile goes out once', async () => {
    const { app } = await up();
    const [, old] = world.sockets;
    old!.vanished = true;
    await world.pass(700);
    app.call('put', ['b', 2]);
    await world.pass(500);
    expect(cluster.ran).toEqual(['b,2@3']);
    expect(app.settled).toHaveLength(1);
    expect(app.events).toEqual(['added a', 'added b']);
    expect(app._stream.status().connected).toBe(true);
  });

  test('a late answer on the old one: what was called meanwhile goes out there, once', async () => {
    const { app } = await up();
    world.behaviour = hangs();
    world.last.stallMs = 700;
    await world.pass(750);
    app.call('put', ['b', 2]);
    world.last.stallMs = 0;
    for (const socket of world.sockets) socket.stallMs = 0;
    await world.pass(1_500);
    expect(cluster.ran).toEqual(['b,2@2']);
    expect(app.told).toEqual([]);
    expect(app.settled).toEqual(['2 "b"']);
  });

  test('a call under way on a connection that dies is sent again; one with noRetry fails, once', async () => {
    world.behaviour = cluster.node({ methodMs: 200 });
    const { app } = install();
    await world.pass(300);
    app.call('put', ['b', 2]);
    app.call('put', ['c', 3], true);
    await world.pass(50);
    world.last.vanished = true;
    world.last.dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '', wasClean: false }));
    await world.pass(600);
    expect(app.settled).toEqual(['2 "invocation-failed"', '1 "b"']);
    expect(said()).toEqual(['connect', 'method']);
  });

  test('a node that is silent after the upgrade is left', async () => {
    const { app } = await up();
    world.behaviour = sequence(opensMute(), cluster.node());
    world.last.serverEnds();
    await world.pass(3_000);
    expect(world.sockets).toHaveLength(4);
    expect(app._stream.status().connected).toBe(true);
    expect(said()).toEqual(['connect', 'sub']);
    expect(app.events).toEqual(['added a']);
  });

  test('Meteor’s own heartbeat is off while the link has one, and back after uninstalling', async () => {
    const { app, uninstall } = await up();
    expect(app._heartbeatInterval).toBe(0);
    uninstall();
    expect(app._heartbeatInterval).toBe(17_500);
    const without = await up({ heartbeat: false });
    expect(without.app._heartbeatInterval).toBe(17_500);
  });

  test('replies to the link’s pings and notices do not reach Meteor', async () => {
    const { app } = await up();
    await world.pass(5_000);
    const must = { msg: 'error', reason: 'Must connect first', offendingMessage: { msg: 'ping' } };
    cluster.say(world.last, must);
    cluster.say(world.last, { msg: 'node', id: 'a', spreadMs: 0 });
    await world.pass(100);
    expect(app.told).toEqual([]);
    cluster.say(world.last, { msg: 'error', reason: 'Bad request' });
    await world.pass(100);
    expect(app.told).toEqual(['unknown {"msg":"error","reason":"Bad request"}']);
  });
});

describe('a drain', () => {
  test('the old node answers the calls under way before Meteor starts over on the new one', async () => {
    world.behaviour = cluster.node({ methodMs: 400 });
    const { app } = install();
    app.subscribe('docs');
    await world.pass(300);
    app.told.length = 0;
    app.call('put', ['b', 2]);
    await world.pass(20);
    cluster.say(world.last, { msg: 'drain', afterMs: 5_000, spreadMs: 0 });
    await world.pass(300);
    // The new connection is open, and nothing but a ping was sent on it.
    expect(world.sockets).toHaveLength(3);
    expect(said()).toEqual([]);
    // Meteor sends this call when it starts over.
    app.call('put', ['c', 3]);
    await world.pass(600);
    expect(cluster.ran.slice(0, 1)).toEqual(['b,2@2']);
    expect(said()).toEqual(['connect', 'method', 'sub']);
    await world.pass(600);
    expect(cluster.ran).toEqual(['b,2@2', 'c,3@3']);
    expect(app.settled).toEqual(['2 "b"', '3 "c"']);
    expect(app.events).toEqual(['added a', 'added b', 'added c']);
    expect(openSockets()).toBe(1);
  });

  test('a call that is never answered delays it by ten seconds at most', async () => {
    world.behaviour = cluster.node({ methodMs: 1e6 });
    const { app } = install();
    await world.pass(300);
    app.call('put', ['b', 2]);
    await world.pass(50);
    cluster.say(world.last, { msg: 'drain', afterMs: 60_000, spreadMs: 0 });
    await world.pass(11_000);
    expect(said()).toEqual(['connect', 'method']);
    expect(openSockets()).toBe(1);
  });
});

describe('what an app does with its connection', () => {
  test('disconnect() ends it, reconnect() brings it back', async () => {
    const { app, uninstall } = await up();
    app._stream.disconnect();
    expect(app._stream.status()).toEqual({ status: 'offline', connected: false, retryCount: 0 });
    expect(uninstall.link).toBeUndefined();
    await world.pass(30_000);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
    app.call('put', ['b', 2]);
    app._stream.reconnect();
    await world.pass(300);
    expect(app._stream.status().connected).toBe(true);
    expect(app.settled).toEqual(['2 "b"']);
    expect(app.events).toEqual(['added a', 'added b']);
  });

  test('reconnect() cuts a wait short, and changes nothing on a connection that works', async () => {
    const { app } = await up();
    app._stream.reconnect();
    await world.pass(300);
    expect(world.sockets).toHaveLength(2);
    world.behaviour = refuses();
    world.last.serverEnds();
    await world.pass(4_000);
    expect(app._stream.status().status).toBe('waiting');
    world.behaviour = cluster.node();
    app._stream.reconnect();
    await world.pass(100);
    expect(app._stream.status().connected).toBe(true);
  });

  test('reconnect({ url }) moves the connection; the old URL serves until the new one does', async () => {
    const { app } = await up();
    app._stream.reconnect({ url: 'https://b.example/' });
    expect(app._stream.rawUrl).toBe('https://b.example/');
    await world.pass(70);
    expect(app._stream.status().connected).toBe(true);
    await world.pass(200);
    expect(world.last.url).toBe('wss://b.example/websocket');
    expect(said()).toEqual(['connect', 'sub']);
    expect(app.events).toEqual(['added a']);
    expect(openSockets()).toBe(1);
    expect(() => app._stream.reconnect({ url: 'https://a b' })).toThrow(DOMException);
    expect(app._stream.rawUrl).toBe('https://b.example/');
  });

  test('the old URL dies before the new one is open: only the new one is dialled', async () => {
    const { app } = await up();
    const [, old] = world.sockets;
    app._stream.reconnect({ url: 'https://b.example/' });
    await world.pass(50);
    old!.serverEnds();
    expect(app._stream.status()).toMatchObject({ status: 'connecting', connected: false });
    await world.pass(500);
    expect(app._stream.status().connected).toBe(true);
    expect(world.hosts()).toBe('aab');
    expect(app.told).toEqual(['disconnect', 'disconnect', 'reset']);
    expect(openSockets()).toBe(1);
  });

  test('moved again before the new URL answered: that dial is given up', async () => {
    const { app } = await up();
    world.behaviour = hangs();
    app._stream.reconnect({ url: 'https://b.example/' });
    await world.pass(20);
    world.behaviour = cluster.node();
    app._stream.reconnect({ url: 'https://c.example/' });
    await world.pass(500);
    expect(world.hosts()).toBe('aabc');
    expect(openSockets()).toBe(1);
    expect(app.told).toEqual(['disconnect', 'reset']);
  });

  test('a link whose attempts are used up is dialled anew by reconnect()', async () => {
    const { app } = await up({ policy: { preset: 'fast', maxAttempts: 2 } });
    world.behaviour = refuses();
    world.last.serverEnds();
    await world.pass(2_000);
    expect(app._stream.status()).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('maxAttempts') as string,
    });
    world.behaviour = cluster.node();
    app._stream.reconnect();
    await world.pass(200);
    expect(app._stream.status().connected).toBe(true);
    expect(app.events).toEqual(['added a']);
  });

  test('while the browser has no network it waits, without retryTime', async () => {
    const { app } = await up();
    world.behaviour = refuses();
    world.online = false;
    world.last.serverEnds();
    await world.pass(500);
    expect(app._stream.status()).toEqual({ status: 'waiting', connected: false, retryCount: 0 });
  });

  test('a version that Meteor wants to renegotiate gets a new connection at once', async () => {
    const { app } = await up();
    app._stream.reconnect({ _force: true });
    await world.pass(200);
    expect(world.sockets).toHaveLength(3);
    expect(openSockets()).toBe(1);
    app._stream.disconnect({ _permanent: true, _error: 'no common version' });
    expect(app._stream.status()).toEqual({
      status: 'failed',
      connected: false,
      retryCount: 0,
      reason: 'no common version',
    });
    app._stream.reconnect();
    await world.pass(1_000);
    expect(openSockets()).toBe(0);
  });

  test('a server that keeps sessions is told that the client leaves', async () => {
    const { app } = await up();
    app._receivedCount = 3;
    const { last } = world;
    app._stream.disconnect();
    await world.pass(100);
    expect(said(last).at(-1)).toBe('disconnect');
  });

  test('an app that disconnects as it moves to a new connection stays disconnected', async () => {
    const { app } = await up();
    app._stream.reconnect({ url: 'https://b.example/' });
    let times = 0;
    app._stream.on('disconnect', () => {
      if (times++ === 0) app._stream.disconnect();
    });
    await world.pass(500);
    expect(app._stream.status()).toEqual({ status: 'offline', connected: false, retryCount: 0 });
    expect(app.told).toEqual(['disconnect', 'disconnect']);
    expect(world.errors).toEqual([]);
    expect(openSockets()).toBe(0);
  });

  test('after a reconnect hook that throws, everything else works', async () => {
    const { app } = await up();
    app.onReconnect = () => {
      throw new Error('hook');
    };
    world.last.serverEnds();
    await world.pass(300);
    expect(world.errors).toHaveLength(1);
    app.onReconnect = () => {};
    world.last.serverEnds();
    await world.pass(300);
    expect(said()).toEqual(['connect', 'sub']);
  });
});

describe('uninstalling', () => {
  test('puts Meteor’s own stream back, which carries on everything', async () => {
    world.behaviour = cluster.node();
    const app = createMeteorApp(world);
    const stream = app._stream;
    const { uninstall } = install(app);
    app.subscribe('docs');
    await world.pass(300);
    uninstall();
    uninstall();
    expect(app._stream).toBe(stream);
    await world.pass(300);
    expect(app._stream.status().connected).toBe(true);
    expect(said()).toEqual(['connect', 'sub']);
    expect(app.events).toEqual(['added a']);
    expect(openSockets()).toBe(1);
    // When Meteor's own stream has ended, nothing of the library is left.
    stream.disconnect();
    await world.pass(100);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
    install(app);
  });

  test('before the link was open on a live connection: the app notices nothing', async () => {
    world.behaviour = sequence(cluster.node(), hangs());
    const app = createMeteorApp(world);
    await world.pass(100);
    const stream = app._stream;
    const { uninstall } = install(app);
    await world.pass(50);
    uninstall();
    await world.pass(1_500);
    expect(app._stream).toBe(stream);
    expect(app.told).toEqual(['reset']);
    expect(openSockets()).toBe(1);
  });

  test('a connection its app has closed stays closed', async () => {
    const { app, uninstall } = await up();
    app._stream.disconnect();
    uninstall();
    await world.pass(1_000);
    expect(app._stream.status().status).toBe('offline');
    expect(openSockets()).toBe(0);
  });
});
