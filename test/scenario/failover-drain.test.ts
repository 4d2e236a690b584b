import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, byHost, hangs, heartbeat, refuses, sequence, World } from '../support/world.ts';

// Latency of the fake network: 20 ms one way; an upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const UP_FIRST = ['0 dial 1', '80 open', '80 attempt open', '80 up first', '80 status online'];

describe('a drain notice', () => {
  const notice = (spreadMs = 0) => JSON.stringify({ msg: 'drain', afterMs: 10_000, spreadMs });

  test('the old connection serves until the new one is proven and replayed: no gap', async () => {
    world.behaviour = sequence(accepts(), accepts({ greeting: 'new' }));
    const ws = world.link({ policy: 'fast', heartbeat, serverNotices: true });
    ws.subscriptions.set('a', 'sub a');
    await world.pass(1_000);
    const [old] = world.sockets;
    old!.serverSends(notice(), 0);
    await world.pass(50);
    ws.send('still to the old one');
    old!.serverSends('still from the old one', 0);
    await world.pass(30);
    expect(old!.received).toContain('still to the old one');
    await world.pass(100);
    expect(world.log.slice(UP_FIRST.length)).toEqual([
      '1000 drain spread 0',
      `1000 message ${notice()}`,
      '1005 dial 2',
      '1050 message still from the old one',
      // One round trip more: it is left when the server is known to have heard the replay.
      '1125 open',
      '1125 attempt open',
      '1125 status online',
      '1125 message new',
      '1125 failover drain',
    ]);
    // Last word of the old one to the first of the new one.
    expect(world.reports).toMatchObject([{ cause: 'drain', detectedAfterMs: 0, upAfterMs: 125, downMs: 35 }]);
  });

  test('the announced spread is kept to, while the old one serves', async () => {
    world.link({ serverNotices: true });
    await world.pass(100);
    world.last.serverSends(notice(4_000), 0);
    await world.pass(5_000);
    expect(world.log.slice(UP_FIRST.length)).toEqual([
      '100 drain spread 4000',
      `100 message ${notice(4_000)}`,
      '2100 dial 2',
      '2180 open',
      '2180 attempt open',
      '2180 status online',
      '2180 failover drain',
    ]);
  });

  test('a draining node that hiccups is left all the same', async () => {
    world.behaviour = sequence(accepts(), hangs(), hangs(), hangs(), accepts());
    const ws = world.link({ policy: 'fast', heartbeat, serverNotices: true });
    await world.pass(1_000);
    const [old] = world.sockets;
    old!.serverSends(notice(), 0);
    await world.pass(30);
    old!.stallMs = 400;
    await world.pass(2_000);
    expect(ws.stats()).toMatchObject({ suspicions: 1, failovers: 1 });
    expect(world.sockets).toHaveLength(5);
  });

  test('a draining node that goes early: the replacement is already on its way', async () => {
    world.behaviour = sequence(accepts(), accepts({ openAfterMs: 300 }));
    world.link({ serverNotices: true });
    await world.pass(1_000);
    world.last.serverSends(notice(), 0);
    await world.pass(100);
    world.sockets[0]!.serverEnds(1001);
    await world.pass(1_000);
    expect(world.log.slice(UP_FIRST.length)).toEqual([
      '1000 drain spread 0',
      `1000 message ${notice()}`,
      '1005 dial 2',
      '1100 down drain',
      '1100 status connecting',
      '1305 open',
      '1305 attempt open',
      '1305 up',
      '1305 status online',
      '1305 failover drain',
    ]);
  });
});

describe('a list of addresses', () => {
  const list = ['wss://a.example/', 'wss://b.example/'];

  test('the next one is taken after a failure, and kept', async () => {
    world.behaviour = byHost({ 'a.example': refuses(), 'b.example': accepts() });
    const ws = world.link({}, list);
    await world.pass(1_000);
    expect([world.hosts(), ws.url]).toEqual(['ab', 'wss://b.example/']);
  });

  test('a node that is lost, hangs or drains is not dialled first again', async () => {
    const ws = world.link({ policy: 'fast', heartbeat, serverNotices: true }, list);
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(1_000);
    world.last.serverSends('{"msg":"drain"}');
    await world.pass(1_000);
    expect([world.hosts(), ws.stats().failovers]).toEqual(['abab', 3]);
  });

  test('a node that accepts and then closes does not keep the link', async () => {
    world.behaviour = byHost({
      'a.example': accepts({ endsAfterMs: 10, code: 1013 }),
      'b.example': accepts(),
    });
    world.link({}, list);
    await world.pass(60_000);
    expect(world.hosts()).toBe('ab');
  });
});
