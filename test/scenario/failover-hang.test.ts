import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, hangs, heartbeat, opensMute, sequence, World } from '../support/world.ts';

// Latency of the fake network: 20 ms one way; an upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const UP_FIRST = ['0 dial 1', '80 open', '80 attempt open', '80 up first', '80 status online'];

describe('a node that hangs', () => {
  test('suspect, hedged, handed over: nothing was down, nothing is lost, order is kept', async () => {
    world.behaviour = sequence(accepts(), hangs(), accepts());
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    const hung = world.last;
    hung.vanished = true;
    ws.send('into the dark');
    await world.pass(500);
    expect(ws.status.name).toBe('suspect');
    ws.send('held 1');
    ws.send('held 2');
    expect(ws.readyState).toBe(ws.OPEN);
    await world.pass(500);
    expect(world.log).toEqual([
      ...UP_FIRST,
      '1350 suspect after 550',
      '1350 status suspect',
      '1355 status suspect',
      '1355 dial 2',
      '1655 attempt timeout',
      '1655 status suspect',
      '1655 dial 3',
      '1775 open',
      '1775 attempt open',
      '1775 status online',
      '1775 failover silent',
    ]);
    expect(world.last.received).toEqual(['ping', 'held 1', 'held 2', 'ping']);
    expect(hung.closedWith).toMatchObject({ code: 1000 });
    expect(world.reports).toMatchObject([
      {
        cause: 'silent',
        detectedAfterMs: 550,
        upAfterMs: 425,
        downMs: 975,
        queuedFlushed: 2,
        unconfirmedSends: 1,
      },
    ]);
    expect(ws.stats()).toMatchObject({
      dials: 3,
      dialFailures: 1,
      opens: 2,
      failovers: 1,
      suspicions: 1,
      hedgesCancelled: 0,
    });
  });

  test('a late answer cancels the hedge, and nothing else happened', async () => {
    world.behaviour = sequence(
      accepts({ reply: (frame) => (frame === 'ping' ? 'pong' : `re ${String(frame)}`) }),
      hangs(),
    );
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.stallMs = 330;
    await world.pass(360);
    ws.send('held 1');
    ws.subscriptions.set('late', 'held 2');
    ws.send('held 3');
    expect(ws.bufferedAmount).toBe(12);
    await world.pass(200);
    world.sockets[0]!.stallMs = 0;
    await world.pass(700);
    expect(world.story().filter((line) => !line.includes('status'))).toEqual([
      ...UP_FIRST.filter((line) => !line.includes('status')),
      '1350 suspect after 550',
      '1355 dial 2',
      '1470 attempt cancelled',
      '1840 message re held 2',
      '1840 message re held 1',
      '1840 message re held 3',
    ]);
    expect(world.sockets[0]!.received.filter((frame) => frame !== 'ping')).toEqual([
      'held 2',
      'held 1',
      'held 3',
    ]);
    expect(ws.stats()).toMatchObject({ opens: 1, failovers: 0, suspicions: 1, hedgesCancelled: 1 });
    expect([ws.status.name, ws.bufferedAmount, world.reports]).toEqual(['online', 0, []]);
    expect(world.sockets[1]!.closedWith).toBeDefined();
  });

  test('what listeners send while a hedge is being cancelled goes behind what was held', async () => {
    world.behaviour = sequence(accepts(), hangs());
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    const [first] = world.sockets;
    first!.reply = () => undefined;
    await world.pass(400);
    ws.send('held');
    ws.once('attempt', () => ws.send('from a listener'));
    ws.subscriptions.set('a', () => (ws.send('from an entry'), 'sub a'));
    first!.serverSends('news', 0);
    await world.pass(100);
    expect(first!.received.filter((frame) => frame !== 'ping')).toEqual([
      'sub a',
      'held',
      'from an entry',
      'from a listener',
    ]);
  });

  test('any word of the old connection is an answer, not only the pong', async () => {
    world.behaviour = sequence(accepts(), hangs());
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    const [first] = world.sockets;
    first!.reply = () => undefined;
    await world.pass(400);
    expect(ws.status.name).toBe('suspect');
    first!.serverSends('news', 0);
    await world.pass(0);
    expect(world.log.slice(-3)).toEqual([
      '1400 attempt cancelled',
      '1400 status online',
      '1400 message news',
    ]);
  });

  test('a replacement that opens and stays mute takes nothing over', async () => {
    world.behaviour = sequence(accepts(), opensMute(), accepts());
    const ws = world.link({ policy: 'fast', heartbeat });
    let opens = 0;
    ws.addEventListener('open', () => (opens += 1));
    await world.pass(1_000);
    const [first] = world.sockets;
    first!.vanished = true;
    await world.pass(460);
    // The second one is open by now, and pinged.
    expect([world.sockets[1]!.readyState, world.sockets[1]!.received, opens]).toEqual([1, ['ping'], 1]);
    await world.pass(600);
    expect(world.log.slice(8)).toEqual([
      '1355 dial 2',
      '1735 attempt timeout',
      '1735 status suspect',
      '1735 dial 3',
      '1855 open',
      '1855 attempt open',
      '1855 status online',
      '1855 failover silent',
    ]);
  });

  test("frames of the old connection never reach the app once another is current, the new one's come after open", async () => {
    world.behaviour = sequence(accepts(), accepts({ greeting: 'from the new one' }));
    world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    const [old] = world.sockets;
    old!.reply = () => undefined;
    old!.serverSends('too late', 440);
    await world.pass(1_000);
    expect(world.log.slice(UP_FIRST.length)).toEqual([
      '1350 suspect after 550',
      '1350 status suspect',
      '1355 status suspect',
      '1355 dial 2',
      '1435 open',
      '1435 attempt open',
      '1435 status online',
      '1435 message from the new one',
      '1435 failover silent',
    ]);
  });

  test('a suspect that ends: down, and the dial under way carries on', async () => {
    world.behaviour = sequence(accepts(), accepts({ openAfterMs: 200 }));
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.reply = () => undefined;
    await world.pass(400);
    expect(ws.status.name).toBe('suspect');
    world.sockets[0]!.serverEnds(1011, 'broken');
    await world.pass(1_000);
    expect(world.log.slice(8)).toEqual([
      '1355 dial 2',
      '1400 down lost',
      '1400 status connecting',
      '1555 open',
      '1555 attempt open',
      '1555 up',
      '1555 status online',
      '1595 failover silent',
    ]);
  });

  test('without hedge it is dropped first', async () => {
    world.link({ policy: 'fast', heartbeat, hedge: false });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(600);
    expect(world.log.slice(UP_FIRST.length)).toEqual([
      '1350 down silent',
      '1350 status waiting',
      '1355 status connecting',
      '1355 dial 2',
      '1435 open',
      '1435 attempt open',
      '1435 up',
      '1435 status online',
      '1475 failover silent',
    ]);
    expect(world.reports).toMatchObject([
      { cause: 'silent', detectedAfterMs: 550, upAfterMs: 85, downMs: 675 },
    ]);
  });

  test('a new connection that is slow to speak is suspected too, and its failover is reported all the same', async () => {
    world.behaviour = sequence(
      accepts(),
      (socket) => {
        accepts()(socket);
        socket.stallMs = 240;
      },
      hangs(),
    );
    world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(400);
    expect(world.log.slice(UP_FIRST.length)).toEqual([
      '1000 down lost',
      '1000 status waiting',
      '1005 status connecting',
      '1005 dial 2',
      '1085 open',
      '1085 attempt open',
      '1085 up',
      '1085 status online',
      '1335 suspect after 250',
      '1335 status suspect',
      '1335 dial 3',
      '1365 attempt cancelled',
      '1365 status online',
      '1365 failover lost',
    ]);
  });

  test('a first connection that is slow to speak is no failover', async () => {
    world.behaviour = sequence((socket) => {
      accepts()(socket);
      socket.stallMs = 2_000;
    }, hangs());
    world.link({ policy: 'fast', heartbeat });
    await world.pass(3_000);
    expect(world.log).toContain('2120 attempt cancelled');
    expect(world.reports).toEqual([]);
  });

  test('is not noticed without a heartbeat', async () => {
    world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(3_600_000);
    expect(world.log).toEqual(UP_FIRST);
  });
});
