import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import { DDPClient } from '../../src/ddp/index.ts';
import {
  accepts,
  hangs,
  heartbeat,
  refuses,
  sequence,
  World,
  type Behaviour,
  type FakeSocket,
  named,
  identify,
} from '../support/world.ts';

// A second connection, open and quiet. An upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

/** The balancer's choice, dial by dial; the last one stays. */
const nodes = (...names: string[]) => sequence(...names.map((name) => named(name)));
const options: FailoverOptions = { policy: 'fast', heartbeat, standby: 'warm', identify, probe: false };

const link = (more: FailoverOptions = {}) => world.link({ ...options, ...more });
/** A link on node a with its standby on node b, a second after it began. */
const warm = async (more: FailoverOptions = {}) => {
  world.behaviour = nodes('a', 'b', 'a', 'b');
  const ws = link(more);
  await world.pass(1_000);
  expect(ws.status).toMatchObject({ name: 'online', node: 'a', standby: 'b' });
  world.story();
  const [first, second] = world.sockets;
  return { ws, a: first!, b: second! };
};
const open = () => world.sockets.filter(({ readyState }) => readyState < 2).length;
/** What the app sent, without pings. */
const frames = ({ received }: { received: unknown[] }) => received.filter((frame) => frame !== 'ping');
const pings = ({ received }: { received: unknown[] }) => received.length - frames({ received }).length;
const standbyOf = ({ status }: { status: object }) => ('standby' in status ? status.standby : undefined);

describe('becoming warm', () => {
  test('a while after the link is up, on the first connection that names another node', async () => {
    world.behaviour = nodes('a', 'b');
    const ws = link();
    await world.pass(1_000);
    expect(world.log).toEqual([
      '0 dial 1',
      '80 open',
      '80 attempt open',
      '80 up first',
      '80 status online',
      '80 status online',
      '80 message node a',
      // fast, random 0.5: 250 + 250 / 2.
      '455 dial 2',
      '535 status online',
    ]);
    expect(ws.status).toMatchObject({ name: 'online', node: 'a', standby: 'b' });
    expect(ws.stats()).toMatchObject({ dials: 2, opens: 1, failovers: 0 });
  });

  test('by the notice of a server that knows this library', async () => {
    const named = (id: string) => accepts({ greeting: `{"msg":"node","id":"${id}","spreadMs":0}` });
    world.behaviour = sequence(named('a'), named('b'));
    const ws = world.link({ policy: 'fast', standby: 'warm', serverNotices: true });
    await world.pass(1_000);
    expect(ws.status).toMatchObject({ node: 'a', standby: 'b' });
  });

  test('nothing is sought while nobody knows which node is in use', async () => {
    const ws = link();
    await world.pass(3_600_000);
    expect(world.sockets).toHaveLength(1);
    // It says so late: from then on there is something to differ from.
    world.behaviour = nodes('b');
    world.last.serverSends('node a');
    world.story();
    await world.pass(20);
    expect(world.story()).toEqual(['3600020 status online', '3600020 message node a']);
    await world.pass(1_000);
    expect(ws.status).toMatchObject({ node: 'a', standby: 'b' });
  });

  test('off by default', async () => {
    world.behaviour = nodes('a', 'b');
    world.link({ policy: 'fast', identify });
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
  });

  test('one that does not say where it leads is none, and has the longest deadline to say so', async () => {
    world.behaviour = sequence(named('a'), accepts(), named('b'));
    const ws = link();
    await world.pass(455 + 9_999);
    expect([standbyOf(ws), open()]).toEqual([undefined, 2]);
    await world.pass(1);
    expect(open()).toBe(1);
    await world.pass(1_000);
    expect(standbyOf(ws)).toBe('b');
    // Warm, it has no deadline any more.
    await world.pass(60_000);
    expect([standbyOf(ws), world.sockets.length]).toEqual(['b', 3]);
  });

  test('one that names its node late is warm then', async () => {
    world.behaviour = sequence(named('a'), accepts());
    const ws = link();
    await world.pass(5_000);
    world.last.serverSends('node b');
    await world.pass(20);
    expect(standbyOf(ws)).toBe('b');
  });

  test('one at a time, whatever happens meanwhile', async () => {
    world.behaviour = sequence(named('a'), hangs(), named('b'));
    link();
    await world.pass(500);
    world.page('visible');
    await world.pass(9_000);
    expect(world.sockets).toHaveLength(2);
    await world.pass(3_000);
    world.page('visible');
    await world.pass(3_000);
    expect(world.sockets).toHaveLength(3);
  });

  test('one that hangs is given up at the longest deadline, and nobody is told of an attempt', async () => {
    world.behaviour = sequence(named('a'), hangs(), named('b'));
    const ws = link();
    await world.pass(455);
    world.story();
    await world.pass(10_000 - 1);
    expect(open()).toBe(2);
    await world.pass(1);
    expect(open()).toBe(1);
    await world.pass(1_000);
    expect(world.story()).toEqual(['10955 dial 3', '11035 status online']);
    expect(ws.stats()).toMatchObject({ dials: 3, dialFailures: 0 });
  });

  test('not before it is through its handshake, whatever it says meanwhile', async () => {
    let letIn = () => {};
    const handshake: FailoverOptions['handshake'] = async (send) => {
      send('login');
      if (world.sockets.length > 1) await new Promise<void>((resolve) => (letIn = resolve));
    };
    world.behaviour = nodes('a', 'b');
    const ws = link({ handshake });
    await world.pass(2_000);
    expect([standbyOf(ws), frames(world.last)]).toEqual([undefined, ['login']]);
    letIn();
    await world.pass(0);
    expect(standbyOf(ws)).toBe('b');
    world.sockets[0]!.serverEnds();
    await world.pass(100);
    // What it said during the handshake is the app's, after `open`.
    expect(world.log.slice(-6)).toEqual([
      '2000 open',
      '2000 attempt open',
      '2000 up',
      '2000 status online',
      '2000 message node b',
      '2040 failover lost',
    ]);
  });

  test('a login that never ends is given up', async () => {
    const handshake: FailoverOptions['handshake'] = () =>
      world.sockets.length > 1 ? new Promise(() => {}) : Promise.resolve();
    world.behaviour = nodes('a', 'b');
    link({ handshake });
    await world.pass(455 + 80 + 9_999);
    expect(open()).toBe(2);
    await world.pass(1);
    expect(open()).toBe(1);
  });
});

describe('only one node answers', () => {
  test('paced, ever more rarely, told once, never a loop', async () => {
    world.behaviour = nodes('a');
    const ws = link();
    await world.pass(3_600_000);
    expect(world.log.filter((line) => line.includes('warning'))).toEqual(['9935 warning standby']);
    const at = world.dialsAt();
    // base + half of base · 2ⁿ, at most half of six caps; after each 80 ms of handshake.
    expect(at.slice(1, 12).map((time, i) => time - at[i]! - 80)).toEqual([
      375, 500, 750, 1_250, 2_250, 4_250, 8_250, 15_250, 15_250, 15_250, 15_250,
    ]);
    expect(at.length).toBeLessThan(3_600 / 15 + 10);
    expect(open()).toBe(1);
    expect(ws.stats()).toMatchObject({ opens: 1, dialFailures: 0 });
    expect(standbyOf(ws)).toBeUndefined();
  });

  test('the luckiest of all clients does not dial in a circle either', async () => {
    world.random = 0;
    world.behaviour = nodes('a');
    link();
    await world.pass(60_000);
    // Held by the budget: a burst of 24, of which 8 are an outage's, then one each second.
    expect(world.dialsAt().length).toBeLessThan(16 + 60 + 2);
    const before = world.sockets.length;
    world.behaviour = named('a');
    world.sockets[0]!.serverEnds();
    await world.pass(200);
    // And an outage finds its fast lane untouched.
    expect(world.sockets.length).toBeGreaterThan(before);
    expect(world.log.at(-1)).toMatch(/failover lost/);
  });

  test('dials that fail count as well; when another node is back it is found', async () => {
    world.behaviour = sequence(named('a'), refuses());
    const ws = link();
    await world.pass(60_000);
    expect(world.log.filter((line) => line.includes('warning'))).toEqual(['9935 warning standby']);
    world.behaviour = nodes('b');
    await world.pass(30_350);
    expect(standbyOf(ws)).toBe('b');
  });

  test('an hour later it is found as quickly as at first, once one has lived a while', async () => {
    world.behaviour = nodes('a');
    const ws = link();
    await world.pass(3_600_000);
    world.behaviour = nodes('b');
    await world.pass(16_000);
    expect(standbyOf(ws)).toBe('b');
    world.story();
    const { now } = world;
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.dialsAt()).toEqual([now + 500]);
    expect(standbyOf(ws)).toBe('b');
  });

  test('one that was needed at once is replaced as fast as at first', async () => {
    world.behaviour = nodes('a');
    const ws = link();
    await world.pass(3_600_000);
    world.behaviour = nodes('b', 'a');
    while (standbyOf(ws) !== 'b') await world.pass(10);
    world.story();
    const { now } = world;
    world.sockets[0]!.serverEnds();
    await world.pass(1_000);
    expect(ws.status).toMatchObject({ node: 'b', standby: 'a' });
    // From the round trip on that proved it.
    expect(world.dialsAt()).toEqual([now + 40 + 375]);
  });
});

describe('promoted', () => {
  test('on loss: no dial, everything in one flight, one round trip', async () => {
    const { ws, a, b } = await warm();
    ws.subscriptions.set('s', 'sub s');
    ws.on('down', () => ws.send('waited'));
    a.serverEnds();
    await world.pass(100);
    expect(world.story()).toEqual([
      '1000 down lost',
      '1000 open',
      '1000 attempt open',
      '1000 up',
      '1000 status online',
      '1000 message node b',
      '1040 failover lost',
    ]);
    expect(frames(b)).toEqual(['sub s', 'waited']);
    expect(ws.status).toMatchObject({ node: 'b', standby: undefined });
    expect(ws.stats()).toMatchObject({ dials: 2, opens: 2, failovers: 1 });
    expect(world.reports).toMatchObject([
      {
        cause: 'lost',
        fromNode: 'a',
        toNode: 'b',
        upAfterMs: 0,
        replayed: 1,
        queuedFlushed: 1,
        attempts: [
          {
            url: 'wss://app.example/ws',
            startedAt: 1_001_000,
            waitedMs: 0,
            durationMs: 0,
            outcome: 'open',
            standby: true,
          },
        ],
      },
    ]);
  });

  test('and the next one is sought at once', async () => {
    const { ws, a, b } = await warm();
    a.serverEnds();
    await world.pass(500);
    expect(ws.status).toMatchObject({ node: 'b', standby: 'a' });
    b.serverEnds();
    await world.pass(500);
    expect(ws.status).toMatchObject({ node: 'a', standby: 'b' });
    expect(world.reports.map(({ attempts }) => attempts)).toMatchObject([
      [{ standby: true }],
      [{ standby: true }],
    ]);
  });

  test('a dial of the ordinary kind says nothing of a standby', async () => {
    world.behaviour = nodes('a');
    link({ standby: 'off' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.reports[0]!.attempts[0]).not.toHaveProperty('standby');
  });

  test('on silence: asked first, and taken when it answers', async () => {
    const { ws, a, b } = await warm();
    ws.subscriptions.set('s', 'sub s');
    await world.pass(100);
    a.vanished = true;
    const asked = pings(b);
    while (ws.status.name === 'online') await world.pass(1);
    const { now } = world;
    ws.send('waited');
    await world.pass(39);
    expect([frames(b), pings(b)]).toEqual([[], asked + 1]);
    await world.pass(100);
    expect(world.story()).toEqual([
      `${now} suspect after ${world.reports[0]!.detectedAfterMs}`,
      `${now} status suspect`,
      `${now + 40} open`,
      `${now + 40} attempt open`,
      `${now + 40} status online`,
      `${now + 40} message node b`,
      `${now + 40} failover silent`,
    ]);
    expect(frames(b)).toEqual(['sub s', 'waited']);
    expect(ws.stats().dials).toBe(2);
    expect(world.reports[0]!.attempts).toMatchObject([{ durationMs: 40, outcome: 'open', standby: true }]);
  });

  test('a late answer of the old one puts it back, and it stays', async () => {
    const { ws, a, b } = await warm();
    a.stallMs = 500;
    b.stallMs = 1_000;
    while (ws.status.name === 'online') await world.pass(1);
    a.stallMs = 0;
    while (ws.status.name === 'suspect') await world.pass(1);
    b.stallMs = 0;
    expect(ws.status).toMatchObject({ name: 'online', node: 'a', standby: 'b' });
    await world.pass(120_000);
    expect(ws.status).toMatchObject({ name: 'online', node: 'a', standby: 'b' });
    expect(ws.stats()).toMatchObject({ dials: 2, opens: 1, failovers: 0, suspicions: 1, hedgesCancelled: 1 });
    expect(open()).toBe(2);
    // And it serves when it is needed after all.
    a.serverEnds();
    await world.pass(100);
    expect(ws.status).toMatchObject({ node: 'b' });
    expect(world.reports[0]!.attempts).toMatchObject([{ outcome: 'open', standby: true }]);
  });

  test('one that was put back and is dead is replaced', async () => {
    const { ws, a, b } = await warm();
    a.stallMs = 500;
    b.vanished = true;
    while (ws.status.name === 'online') await world.pass(1);
    a.stallMs = 0;
    while (ws.status.name === 'suspect') await world.pass(1);
    world.behaviour = nodes('c');
    await world.pass(10_000);
    expect(ws.status).toMatchObject({ name: 'online', node: 'a', standby: 'c' });
    expect(open()).toBe(2);
  });

  test('the old one ends while it is asked: it is taken as it is', async () => {
    const { ws, a, b } = await warm();
    a.stallMs = 60_000;
    b.stallMs = 300;
    while (ws.status.name === 'online') await world.pass(1);
    a.serverEnds();
    expect(ws.status).toMatchObject({ name: 'online', node: 'b' });
    await world.pass(1_000);
    expect(world.reports).toMatchObject([{ cause: 'silent', toNode: 'b' }]);
  });

  test('dead as well: an ordinary dial, after an ordinary deadline', async () => {
    const { ws, a, b } = await warm();
    world.behaviour = nodes('c');
    a.vanished = b.vanished = true;
    while (ws.status.name === 'online') await world.pass(1);
    const { now } = world;
    await world.pass(1_000);
    expect(world.dialsAt()).toEqual([now + 300, now + 300 + 80 + 375]);
    expect(ws.status).toMatchObject({ name: 'online', node: 'c' });
    expect(world.reports[0]!.attempts).toMatchObject([
      { outcome: 'timeout', standby: true },
      { outcome: 'open' },
    ]);
    expect(b.readyState).toBeGreaterThan(1);
  });

  test('dead as well, and just being asked for a sign of life: noticed all the same', async () => {
    const { ws, b, a } = await warm();
    const asked = pings(b);
    while (pings(b) === asked) await world.pass(1);
    // The answer is on its way.
    a.vanished = b.vanished = true;
    world.behaviour = nodes('c');
    await world.pass(2_000);
    expect(ws.status).toMatchObject({ name: 'online', node: 'c' });
  });

  test('dead without a word: the loss is answered by it, then by a dial', async () => {
    const { ws, a, b } = await warm();
    world.behaviour = nodes('c');
    b.vanished = true;
    a.serverEnds();
    await world.pass(2_000);
    expect(ws.status).toMatchObject({ name: 'online', node: 'c' });
    expect(ws.stats().failovers).toBe(1);
  });

  test('on a drain notice: replayed ahead, swapped in without a gap', async () => {
    const { ws, a, b } = await warm({ serverNotices: true });
    ws.subscriptions.set('s', 'sub s');
    await world.pass(10);
    a.serverSends('{"msg":"drain","afterMs":1000,"spreadMs":0}', 0);
    ws.send('to a');
    await world.pass(100);
    expect(world.story()).toEqual([
      '1010 drain spread 0',
      // It is promoted, so there is none.
      '1010 status online',
      '1010 message {"msg":"drain","afterMs":1000,"spreadMs":0}',
      '1050 open',
      '1050 attempt open',
      '1050 status online',
      '1050 message node b',
      '1050 failover drain',
    ]);
    expect(frames(a)).toEqual(['sub s', 'to a']);
    expect(frames(b)).toEqual(['sub s']);
    expect(ws.stats()).toMatchObject({ dials: 2, failovers: 1 });
  });

  test('on reconnect()', async () => {
    const { ws, a } = await warm();
    ws.reconnect();
    await world.pass(100);
    expect(ws.status).toMatchObject({ node: 'b' });
    expect(ws.stats().dials).toBe(2);
    expect(world.reports).toMatchObject([{ cause: 'manual', attempts: [{ standby: true }] }]);
    expect(a.readyState).toBe(3);
  });

  test('a crowd that was told to spread does so with its standbys too', async () => {
    const { ws, a } = await warm({ serverNotices: true });
    a.serverSends('{"msg":"node","id":"a","spreadMs":4000}', 0);
    a.serverEnds();
    await world.pass(1_999);
    expect(ws.status.name).toBe('waiting');
    await world.pass(1);
    expect(ws.status).toMatchObject({ name: 'online', node: 'b' });
    await world.pass(100);
    expect(world.reports[0]!.attempts).toMatchObject([{ waitedMs: 2_000, standby: true }]);
  });

  test('one that dies while the crowd spreads: an ordinary dial', async () => {
    const { ws, a, b } = await warm({ serverNotices: true });
    a.serverSends('{"msg":"node","id":"a","spreadMs":4000}', 0);
    a.serverEnds();
    b.serverEnds();
    world.behaviour = nodes('c');
    await world.pass(2_080);
    expect(ws.status).toMatchObject({ name: 'online', node: 'c' });
    expect(world.dialsAt()).toEqual([3_000]);
  });

  test('costs none of the budget', async () => {
    world.behaviour = nodes('a', 'b');
    // Nothing is earned while it runs: what is spent stays spent.
    const ws = link({ policy: { preset: 'fast', dialsPerMinute: 1, fastAttempts: 2 } });
    await world.pass(1_000);
    world.sockets[0]!.serverEnds();
    await world.pass(1);
    expect(ws.status).toMatchObject({ node: 'b' });
    world.behaviour = refuses(10);
    world.last.serverEnds();
    await world.pass(10_000);
    // Six in the burst, two of them for the first two.
    expect(world.sockets).toHaveLength(6);
  });

  test('is no opening to learn from: a deadline is what dials have cost', async () => {
    const { a, b } = await warm({ heartbeat: false });
    a.serverEnds();
    world.behaviour = hangs();
    b.serverEnds();
    await world.pass(1_000);
    // Twice the 80 ms of the only dial, and four times its variance.
    expect(world.log.filter((line) => /dial|timeout/.test(line)).slice(0, 2)).toEqual([
      '1005 dial 3',
      '1325 attempt timeout',
    ]);
  });
});

describe('kept', () => {
  test('quiet, and asked for a sign of life now and then', async () => {
    const { b } = await warm();
    expect(pings(b)).toBe(0);
    await world.pass(60_000);
    // fast: every 5 s, and a round trip.
    expect(pings(b)).toBe(11);
  });

  test('every 10 s where the policy would leave it longer', async () => {
    world.behaviour = nodes('a', 'b');
    const ws = link({ policy: 'frugal' });
    await world.pass(62_000);
    expect(standbyOf(ws)).toBe('b');
    expect(pings(world.sockets[1]!)).toBe(5);
  });

  test('silent: noticed, and replaced', async () => {
    const { ws, b } = await warm();
    b.vanished = true;
    await world.pass(4_535 + 249);
    expect(standbyOf(ws)).toBe('b');
    await world.pass(1);
    expect(world.story()).toEqual(['5785 status online']);
    expect([standbyOf(ws), open()]).toEqual([undefined, 1]);
    world.behaviour = nodes('c');
    await world.pass(600);
    expect(standbyOf(ws)).toBe('c');
    expect(world.dialsAt()).toEqual([5_785 + 500]);
  });

  test('ended by its server: replaced, and the app hears nothing', async () => {
    const { ws, b } = await warm();
    b.serverEnds(1001);
    expect(standbyOf(ws)).toBeUndefined();
    world.behaviour = nodes('c');
    await world.pass(600);
    expect(standbyOf(ws)).toBe('c');
    expect(world.story()).toEqual(['1000 status online', '1500 dial 3', '1580 status online']);
    expect(ws.stats()).toMatchObject({ dialFailures: 0, failovers: 0 });
  });

  test('a node that always drops its standby soon is tried ever more rarely, and told of', async () => {
    world.behaviour = sequence(named('a'), named('b', { endsAfterMs: 4_000 }));
    link();
    await world.pass(600_000);
    // 4 s each, and up to 15 s between two.
    expect(world.dialsAt().length).toBeLessThan(600 / 19 + 10);
    expect(world.log.filter((line) => line.includes('warning'))).toHaveLength(1);
  });

  test('one that lives for a while is replaced as fast as at first', async () => {
    world.behaviour = sequence(named('a'), named('b', { endsAfterMs: 6_000 }));
    link();
    await world.pass(60_000);
    const at = world.dialsAt().slice(1);
    expect(at.slice(1).map((time, i) => time - at[i]!)).toEqual(at.slice(1).map(() => 80 + 6_000 + 500));
    expect(world.log.filter((line) => line.includes('warning'))).toEqual([]);
  });

  test('one whose node drains is replaced; the link itself does not move', async () => {
    const { ws, b } = await warm({ serverNotices: true });
    b.serverSends('{"msg":"drain","afterMs":1000,"spreadMs":0}', 0);
    expect([standbyOf(ws), open()]).toEqual([undefined, 1]);
    world.behaviour = nodes('c');
    await world.pass(600);
    expect(world.story()).toEqual(['1000 status online', '1500 dial 3', '1580 status online']);
    expect(ws.status).toMatchObject({ node: 'a', standby: 'c' });
  });

  test('a text like a notice means nothing where notices are not asked for', async () => {
    const { ws, b } = await warm();
    b.serverSends('{"msg":"drain","afterMs":1000,"spreadMs":0}', 0);
    expect(standbyOf(ws)).toBe('b');
  });

  test('one that talks all the time is dropped: a hundred frames, no more', async () => {
    const { ws, b } = await warm();
    for (let i = 1; i < 100; i++) b.serverSends(`news ${i}`, 0);
    expect(standbyOf(ws)).toBe('b');
    b.serverSends('one too many', 0);
    expect([standbyOf(ws), open()]).toEqual([undefined, 1]);
    expect(world.story()).toEqual(['1000 status online']);
  });

  test('what it said is the app’s after `open`, in order, and not before', async () => {
    const { ws, a, b } = await warm();
    b.serverSends('one', 0);
    await world.pass(1_000);
    b.serverSends('two', 0);
    expect(world.story()).toEqual([]);
    ws.addEventListener('open', () => b.serverSends('three', 1));
    a.serverEnds();
    await world.pass(10);
    expect(world.story()).toEqual([
      '2000 down lost',
      '2000 open',
      '2000 attempt open',
      '2000 up',
      '2000 status online',
      '2000 message node b',
      '2000 message one',
      '2000 message two',
      '2001 message three',
      '2001 failover lost',
    ]);
  });

  test('a link that has moved to where its standby leads seeks another', async () => {
    const { ws, a, b } = await warm({ serverNotices: true });
    a.serverSends('{"msg":"node","id":"b","spreadMs":0}', 0);
    expect([standbyOf(ws), b.readyState]).toEqual([undefined, 2]);
    world.behaviour = nodes('c');
    await world.pass(600);
    expect(ws.status).toMatchObject({ node: 'b', standby: 'c' });
  });

  test('a heartbeat message that throws once is no reason to forget it', async () => {
    let throws = false;
    const message = () => {
      if (throws) throw new Error('not now');
      return 'ping';
    };
    const { b } = await warm({ heartbeat: { ...heartbeat, message } });
    throws = true;
    await world.pass(5_000);
    throws = false;
    b.vanished = true;
    await world.pass(20_000);
    expect(b.readyState).toBeGreaterThan(1);
  });

  test('a device that slept finds it alive', async () => {
    const { ws, b } = await warm();
    while (pings(b) === 0) await world.pass(1);
    b.stallMs = 5;
    await world.pass(19);
    // Asleep while the answer is on its way: that waits in front of the timer.
    world.sleep(60_000);
    await world.pass(1_000);
    expect([standbyOf(ws), b.readyState]).toEqual(['b', 1]);
  });
});

describe('gives way', () => {
  test('one that is still being made is given up for a dial that matters more', async () => {
    world.behaviour = sequence(named('a'), hangs(), named('b'));
    const ws = link();
    await world.pass(500);
    expect(open()).toBe(2);
    world.sockets[0]!.serverEnds();
    await world.pass(10);
    // One handshake at a time to an address.
    expect(world.sockets.map(({ readyState }) => readyState)).toEqual([3, 3, 0]);
    await world.pass(80);
    expect(ws.status).toMatchObject({ name: 'online', node: 'b' });
  });

  test('one that opens while the link is suspect does not get in the way', async () => {
    world.behaviour = sequence(named('a'), named('b', { openAfterMs: 2_000 }), named('c'));
    const ws = link();
    await world.pass(1_000);
    world.sockets[0]!.vanished = true;
    await world.pass(2_000);
    expect(ws.status).toMatchObject({ name: 'online', node: 'c' });
    expect(world.sockets[1]!.readyState).toBe(3);
  });

  test('none is sought while the outage is not over', async () => {
    world.behaviour = sequence(named('a'), refuses());
    link();
    await world.pass(100);
    world.sockets[0]!.serverEnds();
    await world.pass(60_000);
    // Each dial is told of: a standby's are not.
    const told = world.log.filter((line) => line.endsWith('attempt refused')).length;
    expect(world.sockets.length - 1 - told).toBeLessThanOrEqual(1);
  });

  test('none is sought on a connection that has not proven itself', async () => {
    const { a, b } = await warm({ policy: { preset: 'fast', replyFloorMs: 1_500 } });
    b.vanished = true;
    a.serverEnds();
    await world.pass(1_400);
    expect(world.dialsAt()).toEqual([]);
    await world.pass(200);
    // Its silence is noticed: that dial is the outage's.
    expect(world.dialsAt()).toEqual([2_500]);
  });

  test('the budget is an outage’s first: with nothing to spare none is dialled', async () => {
    world.behaviour = nodes('a');
    const ws = link({ policy: { preset: 'fast', dialsPerMinute: 1, fastAttempts: 2 } });
    await world.pass(50_000);
    // A burst of 6, one of it spent, 2 kept: four tries, and then one for each that is earned.
    expect(world.sockets).toHaveLength(5);
    world.behaviour = nodes('b');
    await world.pass(70_000);
    expect(standbyOf(ws)).toBe('b');
    expect(world.sockets).toHaveLength(6);
  });

  test('offline nothing is dialled; back online it is', async () => {
    world.behaviour = nodes('a', 'b');
    const ws = link({ heartbeat: false });
    await world.pass(100);
    world.online = false;
    world.page('offline');
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
    world.online = true;
    world.page('online');
    await world.pass(1_000);
    expect(standbyOf(ws)).toBe('b');
  });

  test('a local node needs no network', async () => {
    world.behaviour = nodes('a', 'b');
    world.online = false;
    const ws = world.link({ ...options, heartbeat: false }, 'ws://localhost:3000/');
    await world.pass(1_000);
    expect(standbyOf(ws)).toBe('b');
  });

  test('one that led to the node that drains is not where the link goes', async () => {
    world.behaviour = sequence(named('a'), named('a', { openAfterMs: 300 }), named('b'));
    const ws = link({ serverNotices: true });
    await world.pass(500);
    world.sockets[0]!.serverSends('{"msg":"drain","afterMs":10000,"spreadMs":4000}', 0);
    await world.pass(5_000);
    expect(ws.status).toMatchObject({ node: 'b' });
    expect(world.reports).toMatchObject([{ cause: 'drain', fromNode: 'a', toNode: 'b' }]);
  });

  test('one that leads to the node in use is none either while the browser is offline', async () => {
    world.behaviour = sequence(named('a'), named('a', { openAfterMs: 300 }), named('b'));
    const ws = link({ heartbeat: false });
    await world.pass(500);
    world.online = false;
    world.page('offline');
    await world.pass(1_000);
    expect([standbyOf(ws), open()]).toEqual([undefined, 1]);
    world.online = true;
    world.page('online');
    await world.pass(1_000);
    expect(standbyOf(ws)).toBe('b');
  });
});

describe('the end', () => {
  const NOTHING = { timers: 0, listeners: 0, sockets: 0 };
  const PAGE = { listeners: 7, sockets: 0 };

  test.each<[string, () => Promise<unknown>]>([
    ['none yet, waiting to seek one', () => world.pass(100)],
    ['one being dialled', () => world.pass(500)],
    ['one that has not said where it leads', () => ((world.behaviour = accepts()), world.pass(1_000))],
    ['a warm one', () => ((world.behaviour = nodes('b')), world.pass(1_000))],
    ['a warm one that is being asked', () => ((world.behaviour = nodes('b')), world.pass(5_560))],
  ])('of the link with %s leaves nothing: close() and hide', async (_, until) => {
    for (const end of ['close', 'hide'] as const) {
      world.behaviour = sequence(named('a'));
      const ws = link();
      await world.pass(90);
      world.behaviour = hangs();
      await until();
      if (end === 'close') ws.close();
      else world.page('hide');
      await world.pass(100);
      expect(world.left).toMatchObject(end === 'close' ? NOTHING : PAGE);
      const { length } = world.sockets;
      await world.pass(60_000);
      expect(world.sockets).toHaveLength(length);
      expect([...world.locks!.queues.values()].flat()).toEqual([]);
      ws.close();
      await world.pass(2_000);
      expect(world.left).toEqual(NOTHING);
    }
  });

  test('giveup ends it', async () => {
    world.behaviour = sequence(named('a'), named('b'), refuses());
    const ws = link({ policy: { preset: 'fast', maxAttempts: 1, spreadMs: 0 } });
    await world.pass(1_000);
    const [a, b] = world.sockets;
    a!.serverEnds();
    await world.pass(60);
    world.behaviour = hangs();
    await world.pass(500);
    b!.serverEnds();
    await world.pass(20_000);
    expect(ws.status.name).toBe('failed');
    await world.pass(1_000);
    expect(world.left).toEqual(NOTHING);
  });

  test('closed in the middle of a promotion: the standby ends as well', async () => {
    const { ws, a, b } = await warm();
    b.stallMs = 500;
    a.vanished = true;
    while (ws.status.name === 'online') await world.pass(1);
    ws.close();
    await world.pass(2_000);
    expect(world.left).toEqual(NOTHING);
    expect(world.log.filter((line) => line.endsWith(' open'))).toEqual([]);
  });

  test('a listener that closes the link at `down` gets no other connection', async () => {
    const { ws, a } = await warm();
    ws.on('down', () => ws.close());
    a.serverEnds();
    await world.pass(2_000);
    expect(world.story()).toEqual(['1000 down lost', '1000 status closed', '1000 error', '1000 close 1006']);
    expect(world.left).toEqual(NOTHING);
  });

  test('back from the back/forward cache it is sought anew', async () => {
    const { ws } = await warm();
    world.page('hide');
    await world.pass(100);
    expect(standbyOf(ws)).toBeUndefined();
    world.behaviour = nodes('c', 'd');
    world.page('restored');
    await world.pass(1_000);
    expect(ws.status).toMatchObject({ node: 'c', standby: 'd' });
  });
});

describe('with other options', () => {
  test('hedge off: silence is loss, and it takes over at once', async () => {
    const { ws, a } = await warm({ hedge: false });
    a.vanished = true;
    while (ws.status.name === 'online' && ws.status.node === 'a') await world.pass(1);
    expect(ws.status).toMatchObject({ name: 'online', node: 'b' });
    await world.pass(100);
    expect(ws.stats().dials).toBe(2);
    expect(world.reports).toMatchObject([{ cause: 'silent', attempts: [{ standby: true }] }]);
  });

  test('hedge off, and the standby is dead too: noticed by the heartbeat, then dialled', async () => {
    const { ws, a, b } = await warm({ hedge: false });
    world.behaviour = nodes('c');
    a.vanished = b.vanished = true;
    await world.pass(3_000);
    expect(ws.status).toMatchObject({ name: 'online', node: 'c' });
  });

  test('no heartbeat: kept without a word, promoted on loss', async () => {
    const { ws, a, b } = await warm({ heartbeat: false });
    await world.pass(600_000);
    world.page('online');
    await world.pass(60_000);
    expect([b.received, standbyOf(ws), world.sockets.length]).toEqual([[], 'b', 2]);
    // A page at rest is left at rest.
    expect(world.left.timers).toBe(0);
    a.serverEnds();
    await world.pass(10);
    expect(ws.status).toMatchObject({ name: 'online', node: 'b' });
    expect(world.reports).toMatchObject([{ toNode: 'b' }]);
  });

  test('a passive heartbeat: promoted on silence, since it cannot be asked', async () => {
    const { ws, a } = await warm({ heartbeat: { expectEveryMs: 1_000 } });
    a.vanished = true;
    while (ws.status.name === 'online' && ws.status.node === 'a') await world.pass(1);
    expect(ws.status).toMatchObject({ name: 'online', node: 'b' });
  });
});

describe('of a DDP client', () => {
  /** What every node of the cluster knows: documents, and how often each call was carried out. */
  let docs: Map<string, object>;
  let calls: string[];
  /** Calls that are not answered, as if the node died with them. */
  let swallow: boolean;
  beforeEach(() => {
    docs = new Map([
      ['1', { text: 'one' }],
      ['2', { text: 'two' }],
    ]);
    calls = [];
    swallow = false;
  });

  const ddpNode =
    (name: string): Behaviour =>
    (socket) => {
      const say = (message: object) => socket.serverSends(JSON.stringify(message));
      accepts({ greeting: JSON.stringify({ msg: 'node', id: name, spreadMs: 0 }) })(socket);
      socket.reply = (frame) => {
        const { msg, id, method, params } = JSON.parse(String(frame)) as Record<string, unknown>;
        if (msg === 'ping') say({ msg: 'pong' });
        if (msg === 'connect') say({ msg: 'connected', session: name });
        if (msg === 'sub') {
          for (const [key, fields] of docs) say({ msg: 'added', collection: 'c', id: key, fields });
          say({ msg: 'ready', subs: [id] });
        }
        if (msg === 'method') {
          calls.push(`${name} ${String(method)} ${String((params as unknown[])[0])}`);
          if (swallow) return undefined;
          say({ msg: 'result', id, result: `${String((params as unknown[])[0])}!` });
          say({ msg: 'updated', methods: [id] });
        }
        return undefined;
      };
    };
  const client = async () => {
    world.behaviour = sequence(...['a', 'b', 'c', 'd'].map(ddpNode));
    const ddp = new DDPClient<FailoverWebSocket>(
      'wss://app.example/websocket',
      { policy: 'fast', standby: 'warm', probe: false, env: world.env },
      (url, more) => world.link(more, url),
    );
    const seen: string[] = [];
    ddp.collection<{ text: string }>('c').observe({
      added: ({ _id, text }) => seen.push(`+${_id} ${text}`),
      changed: ({ _id, text }) => seen.push(`~${_id} ${text}`),
      removed: ({ _id }) => seen.push(`-${_id}`),
    });
    const sub = ddp.subscribe('all');
    await world.pass(1_000);
    await sub.ready;
    expect(ddp.status).toMatchObject({ node: 'a', standby: 'b' });
    expect(seen.splice(0)).toEqual(['+1 one', '+2 two']);
    return { ddp, seen, a: world.sockets[0]!, b: world.sockets[1]! };
  };
  const kinds = ({ received }: { received: unknown[] }) =>
    received
      .map((frame) => (JSON.parse(String(frame)) as { msg: string }).msg)
      .filter((msg) => msg !== 'ping');

  test('it is connected, and nothing more, until it is needed', async () => {
    const { b, seen } = await client();
    await world.pass(120_000);
    expect(kinds(b)).toEqual(['connect']);
    expect(seen).toEqual([]);
  });

  test.each<[string, (a: FakeSocket) => void]>([
    ['lost', (a) => a.serverEnds()],
    ['silent', (a) => (a.vanished = true)],
    ['drained', (a) => a.serverSends('{"msg":"drain","afterMs":1000,"spreadMs":0}', 0)],
  ])('promoted when the node is %s: documents are exact, calls settle once, no flicker', async (_, end) => {
    const { ddp, seen, a, b } = await client();
    swallow = true;
    const asked = ddp.call('echo', 'x');
    const once = ddp.apply('echo', ['y'], { retry: false }).then(
      (value) => value,
      (error: { kind: string }) => error.kind,
    );
    await world.pass(30);
    swallow = false;
    docs.set('2', { text: 'changed meanwhile' });
    docs.delete('1');
    docs.set('3', { text: 'three' });
    end(a);
    await world.pass(10);
    const queued = ddp.call('echo', 'z');
    await world.pass(15_000);
    expect(ddp.status).toMatchObject({ name: 'online', node: 'b' });
    expect([await asked, await queued]).toEqual(['x!', 'z!']);
    // Sent to a node that is gone: nobody knows, and it is not sent again.
    expect(await once).toBe('unconfirmed');
    expect(calls.filter((call) => call.endsWith('y'))).toEqual(['a echo y']);
    expect(calls.filter((call) => call.endsWith('x'))).toEqual(['a echo x', 'b echo x']);
    expect(calls.filter((call) => call.endsWith('z'))).toHaveLength(1);
    expect(seen.sort()).toEqual(['+3 three', '-1', '~2 changed meanwhile'].sort());
    expect(kinds(b).slice(0, 2)).toEqual(['connect', 'sub']);
    expect(kinds(b).filter((kind) => kind === 'sub')).toHaveLength(1);
    expect(world.reports).toMatchObject([{ toNode: 'b', replayed: 1, attempts: [{ standby: true }] }]);
  });

  test('put back, it has been told nothing, and nothing is sent twice', async () => {
    const { ddp, seen, a, b } = await client();
    a.stallMs = 500;
    b.stallMs = 5_000;
    while (ddp.status.name === 'online') await world.pass(1);
    const asked = ddp.call('echo', 'x');
    a.stallMs = 0;
    await world.pass(2_000);
    expect(await asked).toBe('x!');
    expect([calls, kinds(b), seen]).toEqual([['a echo x'], ['connect'], []]);
  });
});
