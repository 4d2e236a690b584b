import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  accepts,
  byHost,
  hangs,
  heartbeat,
  opensMute,
  pong,
  refuses,
  sequence,
  World,
} from '../support/world.ts';

// Latency of the fake network: 20 ms one way; an upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const UP_FIRST = ['0 dial 1', '80 open', '80 attempt open', '80 up first', '80 status online'];

describe('a node that stops', () => {
  test('is left at once: dialled until a survivor answers', async () => {
    world.behaviour = sequence(accepts(), refuses(), refuses(), accepts({ greeting: 'hello' }));
    world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.log).toEqual([
      ...UP_FIRST,
      '1000 down lost',
      '1000 status waiting',
      '1005 status connecting',
      '1005 dial 2',
      '1085 attempt refused',
      '1085 status connecting',
      '1085 dial 3',
      '1165 attempt refused',
      '1165 status connecting',
      '1165 dial 4',
      '1245 open',
      '1245 attempt open',
      '1245 up',
      '1245 status online',
      '1245 message hello',
      '1245 failover lost',
    ]);
  });

  test('is reported exactly, and shows on the performance timeline', async () => {
    world.behaviour = sequence(accepts(), refuses(), accepts({ greeting: 'hello' }));
    const ws = world.link(
      { policy: 'fast', heartbeat, identify: (data) => (data === 'hello' ? 'node-2' : undefined) },
      'wss://user:pw@app.example/ws?token=secret',
    );
    ws.subscriptions.set('a', 'sub a').set('b', 'sub b');
    await world.pass(1_000);
    ws.send('into the dark');
    world.last.serverEnds();
    ws.send('queued 1');
    ws.send('queued 2');
    await world.pass(1_000);
    const report = {
      cause: 'lost',
      startedAt: 1_001_000,
      detectedAfterMs: 0,
      attempts: [
        {
          url: 'wss://app.example/ws',
          startedAt: 1_001_005,
          waitedMs: 5,
          durationMs: 80,
          outcome: 'refused',
        },
        { url: 'wss://app.example/ws', startedAt: 1_001_085, waitedMs: 0, durationMs: 80, outcome: 'open' },
      ],
      probes: [],
      toNode: 'node-2',
      upAfterMs: 165,
      // The last pong on the old one came at 800: pings go out 300 ms after the last word.
      downMs: 365,
      replayMs: 0,
      replayed: 2,
      queuedFlushed: 2,
      unconfirmedSends: 1,
    };
    expect(world.reports).toEqual([report]);
    expect(JSON.parse(JSON.stringify(world.reports[0]))).toEqual(report);
    expect(world.measures).toEqual([
      { name: 'failover', start: 1_000, end: 1_165, detail: world.reports[0] },
    ]);
    expect(
      [world.reports[0]!, world.reports[0]!.attempts, world.reports[0]!.attempts[0]].every(Object.isFrozen),
    ).toBe(true);
  });

  test('closes that say why', async () => {
    const ws = world.link();
    const causes: unknown[] = [];
    ws.on('down', (failure) => causes.push(failure));
    for (const code of [1000, 1001, 1006, 1011, 1012, 1013, 4001]) {
      await world.pass(1_000);
      world.last.serverEnds(code, `because ${code}`);
    }
    expect(causes).toEqual(
      (
        [
          ['closed', 1000],
          ['drain', 1001],
          ['lost', 1006],
          ['lost', 1011],
          ['drain', 1012],
          ['overloaded', 1013],
          ['closed', 4001],
        ] as const
      ).map(([kind, code]) => ({ kind, code, reason: `because ${code}` })),
    );
  });

  test('the report waits for what the layers above replay', async () => {
    let done!: () => void;
    world.link({ replayed: () => new Promise((resolve) => (done = resolve)) });
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.reports).toEqual([]);
    done();
    await world.pass(0);
    expect(world.reports).toMatchObject([{ upAfterMs: 85, replayMs: 915 }]);
  });

  test('nodes are named by the server, where that is allowed', async () => {
    const node = (id: string) => accepts({ greeting: JSON.stringify({ msg: 'node', id }) });
    world.behaviour = sequence(node('one'), node('two'));
    const ws = world.link({ serverNotices: true, heartbeat });
    await world.pass(100);
    expect(ws.status).toEqual({ name: 'online', since: 1_000_080, node: 'one' });
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.reports).toMatchObject([{ fromNode: 'one', toNode: 'two' }]);
    expect(ws.status).toMatchObject({ name: 'online', node: 'two' });
  });

  test('a user cannot name nodes or drain the link by what he writes', async () => {
    world.behaviour = accepts({ greeting: '{"msg":"node","id":"evil"}' });
    const ws = world.link({ heartbeat });
    await world.pass(100);
    world.last.serverSends('{"msg":"drain"}');
    await world.pass(1_000);
    expect(ws.status).toMatchObject({ name: 'online', node: undefined });
    expect(world.sockets).toHaveLength(1);
  });
});

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
      '1675 attempt timeout',
      '1675 status suspect',
      '1675 dial 3',
      '1795 open',
      '1795 attempt open',
      '1795 status online',
      '1795 failover silent',
    ]);
    expect(world.last.received).toEqual(['ping', 'held 1', 'held 2', 'ping']);
    expect(hung.closedWith).toMatchObject({ code: 1000 });
    expect(world.reports).toMatchObject([
      {
        cause: 'silent',
        detectedAfterMs: 550,
        upAfterMs: 445,
        downMs: 995,
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
      'from a listener',
      'from an entry',
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
      '1755 attempt timeout',
      '1755 status suspect',
      '1755 dial 3',
      '1875 open',
      '1875 attempt open',
      '1875 status online',
      '1875 failover silent',
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

describe('the heartbeat', () => {
  test('pings after silence only, keeps the answers from the app, and measures', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    // At 80 with the opening, then 300 ms after each answer: 420, 760.
    expect(ws.stats()).toMatchObject({ pingsSent: 3, framesReceived: 3, framesSent: 0, rttMs: 40 });
    expect(world.log).toEqual(UP_FIRST);
    for (let i = 0; i < 10; i++) {
      world.last.serverSends('busy', 0);
      await world.pass(200);
    }
    expect(ws.stats().pingsSent).toBe(3);
  });

  test('may be made anew each time', async () => {
    let n = 0;
    world.link({ policy: 'fast', heartbeat: { message: () => `ping ${(n += 1)}` } });
    world.behaviour = accepts({ reply: (frame) => frame });
    await world.pass(1_000);
    expect(world.last.received).toEqual(['ping 1', 'ping 2', 'ping 3']);
    // Nobody said which frames are replies: the app sees them all.
    expect(world.log.slice(UP_FIRST.length)).toEqual([
      '120 message ping 1',
      '460 message ping 2',
      '800 message ping 3',
    ]);
  });

  test('that is never answered switches itself off with one warning, and the link stays', async () => {
    world.behaviour = opensMute();
    const ws = world.link({ heartbeat });
    await world.pass(600_000);
    expect(world.log.filter((line) => !line.includes('failover'))).toEqual([
      ...UP_FIRST,
      '5080 suspect after 5000',
      '5080 status suspect',
      '5080 dial 2',
      '5660 warning heartbeat-unanswered',
      '5660 attempt cancelled',
      '5660 status online',
    ]);
    world.sockets[0]!.serverSends('news', 0);
    expect(world.log.at(-1)).toBe('600000 message news');
    expect([ws.readyState, ws.stats().pingsSent]).toEqual([1, 2]);
  });

  test('that was answered once is never switched off', async () => {
    world.behaviour = sequence(accepts(), opensMute());
    world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(60_000);
    expect(world.log.filter((line) => line.includes('warning'))).toEqual([]);
    expect(world.sockets.length).toBeGreaterThan(10);
  });

  const speaks =
    (everyMs: number, stopsAfterMs = Infinity) =>
    (socket: Parameters<ReturnType<typeof accepts>>[0]) => {
      accepts({ reply: () => undefined })(socket);
      const openedAt = world.now + 80;
      const speak = () => {
        if (world.now - openedAt >= stopsAfterMs) return;
        socket.serverSends('tick', 0);
        setTimeout(speak, everyMs);
      };
      setTimeout(speak, 80 + everyMs);
    };

  test('passive: sends nothing, suspects after half as long again', async () => {
    world.behaviour = sequence(speaks(1_000, 3_500), speaks(1_000));
    world.link({ heartbeat: { expectEveryMs: 1_000 } });
    await world.pass(5_500);
    expect(world.log.filter((line) => !line.includes('tick')).slice(UP_FIRST.length)).toEqual([
      '4580 suspect after 1500',
      '4580 status suspect',
      '4585 status suspect',
      '4585 dial 2',
      '4665 open',
      '4665 attempt open',
      '4665 status online',
      '4665 failover silent',
    ]);
    expect(world.sockets.map(({ received }) => received)).toEqual([[], []]);
  });

  test('passive: goes on watching after any number of hangs', async () => {
    world.behaviour = speaks(1_000, 3_500);
    const ws = world.link({ heartbeat: { expectEveryMs: 1_000 } });
    await world.pass(60_000);
    expect(world.log.filter((line) => line.includes('warning'))).toEqual([]);
    expect(ws.stats().suspicions).toBeGreaterThan(10);
  });

  test('a message that throws once does not end the watch', async () => {
    let broken = true;
    const message = () => {
      if (broken) throw new Error('no session yet');
      return 'ping';
    };
    world.link({ policy: 'fast', heartbeat: { ...heartbeat, message } });
    await world.pass(1_000);
    expect(world.log).toContain('80 warning callback');
    broken = false;
    await world.pass(5_000);
    world.last.vanished = true;
    await world.pass(5_000);
    expect(world.log.join()).toContain('suspect');
  });

  test('callbacks that throw are warned of and harm nothing', async () => {
    const boom = () => {
      throw new Error('boom');
    };
    world.behaviour = accepts({ greeting: 'hello' });
    world.link({ policy: 'fast', heartbeat: { message: 'ping', isReply: boom }, identify: boom });
    await world.pass(100);
    expect(world.log.filter((line) => !line.includes('status'))).toEqual([
      '0 dial 1',
      '80 open',
      '80 attempt open',
      '80 up first',
      '80 warning callback',
      '80 warning callback',
      '80 message hello',
    ]);
  });

  // `undefined` of the guard is taken for "no isReply given", where any frame counts.
  test.fails('a frame of which isReply could not say what it is measures nothing', async () => {
    world.behaviour = accepts({ greeting: 'hello', reply: () => undefined });
    const isReply = () => {
      throw new Error('boom');
    };
    const ws = world.link({ heartbeat: { message: 'ping', isReply } });
    await world.pass(100);
    expect(ws.stats()).toMatchObject({ framesReceived: 1, rttMs: undefined });
  });

  // Any frame takes the ping off the clock, but then its answer is ignored: no measure, and nothing is confirmed.
  test.fails('measures and confirms also by an answer that comes behind other frames', async () => {
    world.behaviour = accepts({ greeting: 'hello' });
    const ws = world.link({ heartbeat });
    ws.send('before the ping');
    await world.pass(1_000);
    expect(ws.stats()).toMatchObject({ pingsSent: 1, rttMs: 40 });
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.reports[0]!.unconfirmedSends).toBe(0);
  });

  test('unconfirmed sends: only those of which no later ping was answered', async () => {
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(100);
    ws.send('1');
    ws.send('2');
    // The next ping goes out at 420 and is answered at 460.
    await world.pass(400);
    ws.send('3');
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.reports[0]!.unconfirmedSends).toBe(1);
  });
});

describe('the order on a new connection', () => {
  test('handshake, registry, sends of open listeners, queue', async () => {
    const ws = world.link({
      handshake: async (send, receive) => {
        send('login');
        world.say(`welcomed with ${String(await receive())}`);
        send('confirmed');
      },
    });
    world.behaviour = accepts({ reply: (frame) => (frame === 'login' ? 'welcome' : undefined) });
    ws.addEventListener('open', () => {
      ws.send('greeting');
      ws.subscriptions.set('c', 'sub c');
    });
    ws.send('waited 1');
    ws.subscriptions.set('a', 'sub a');
    ws.send('waited 2');
    ws.subscriptions.set('b', () => 'sub b');
    ws.subscriptions.set('a', 'sub a again');
    await world.pass(1_000);
    const first = ['login', 'confirmed', 'sub a again', 'sub b', 'greeting', 'sub c', 'waited 1', 'waited 2'];
    expect(world.last.received).toEqual(first);
    expect(world.log).toEqual([
      '0 dial 1',
      '120 welcomed with welcome',
      '120 open',
      '120 attempt open',
      '120 up first',
      '120 status online',
    ]);
    world.last.serverEnds();
    ws.send('waited 3');
    await world.pass(1_000);
    expect(world.last.received).toEqual([
      'login',
      'confirmed',
      'sub a again',
      'sub b',
      'sub c',
      'greeting',
      'sub c',
      'waited 3',
    ]);
  });

  test('while open, frames and entries go at once; a deleted one is not replayed', async () => {
    const ws = world.link();
    await world.pass(100);
    ws.subscriptions.set('a', 'sub a');
    ws.send('x');
    ws.subscriptions.set('b', 'sub b');
    ws.subscriptions.delete('a');
    await world.pass(100);
    expect(world.last.received).toEqual(['sub a', 'x', 'sub b']);
    world.last.serverEnds();
    await world.pass(200);
    expect(world.last.received).toEqual(['sub b']);
  });

  test('an entry that throws is warned of, the others go', async () => {
    const ws = world.link();
    ws.subscriptions.set('a', () => {
      throw new Error('boom');
    });
    ws.subscriptions.set('b', 'sub b');
    await world.pass(200);
    expect([world.last.received, world.log[1]]).toEqual([['sub b'], '80 warning callback']);
  });

  test('an entry that a listener deletes before its turn is not sent', async () => {
    const ws = world.link();
    ws.subscriptions.set('a', () => (ws.subscriptions.delete('b'), 'sub a'));
    ws.subscriptions.set('b', 'sub b');
    await world.pass(200);
    expect(world.last.received).toEqual(['sub a']);
  });

  test('what is set while suspect goes to whichever connection wins, once', async () => {
    world.behaviour = sequence(accepts(), hangs(), accepts());
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(400);
    ws.subscriptions.set('late', 'sub late');
    ws.send('held');
    await world.pass(1_000);
    expect(world.last.received.filter((frame) => frame !== 'ping')).toEqual(['sub late', 'held']);
  });

  test('the handshake of a replacement runs beside the suspect, and its frames are its own', async () => {
    world.behaviour = accepts({ reply: (frame) => (frame === 'login' ? 'welcome' : pong(frame)) });
    const ws = world.link({
      policy: 'fast',
      heartbeat,
      handshake: async (send, receive) => {
        send('login');
        await receive();
      },
    });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(400);
    ws.send('held');
    await world.pass(1_000);
    expect(world.last.received.slice(0, 3)).toEqual(['login', 'held', 'ping']);
    expect(world.log.filter((line) => line.includes('message'))).toEqual([]);
    expect(world.reports).toHaveLength(1);
  });
});

describe('the handshake', () => {
  test('frames that nobody asked for belong to the app, after open and in order', async () => {
    world.behaviour = accepts({ greeting: 'early 1' });
    world.link({
      handshake: async (_send, receive) => {
        world.last.serverSends('early 2', 10);
        world.last.serverSends('early 3', 20);
        await new Promise((resolve) => setTimeout(resolve, 15));
        world.say(`got ${String(await receive())}`);
        await new Promise((resolve) => setTimeout(resolve, 15));
      },
    });
    await world.pass(200);
    expect(world.log).toEqual([
      '0 dial 1',
      '95 got early 1',
      '110 open',
      '110 attempt open',
      '110 up first',
      '110 status online',
      '110 message early 2',
      '110 message early 3',
    ]);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
  ])('that %s fails the attempt', async (_, handshake) => {
    const ws = world.link({ handshake });
    const attempts: unknown[] = [];
    ws.on('attempt', ({ outcome }) => attempts.push(outcome));
    await world.pass(500);
    expect(attempts.slice(0, 3)).toEqual(['handshake', 'handshake', 'handshake']);
    expect(world.log.filter((line) => line.includes('open'))).toEqual([]);
    expect(world.sockets[0]!.closedWith).toBeDefined();
  });

  test('that hangs fails at the cap, and its receive() is rejected', async () => {
    let error: unknown;
    world.link({
      policy: 'fast',
      handshake: async (_send, receive) => {
        await receive().catch((thrown: unknown) => (error ??= thrown));
        await new Promise(() => {});
      },
    });
    await world.pass(11_000);
    expect(world.log.slice(0, 3)).toEqual(['0 dial 1', '10080 attempt handshake', '10080 status connecting']);
    expect(error).toMatchObject({ name: 'FailoverError', kind: 'closed' });
  });

  test('an end during it fails the attempt; what it still sends goes nowhere', async () => {
    let late: (() => void) | undefined;
    world.behaviour = sequence(accepts({ endsAfterMs: 50, code: 4001 }), accepts());
    let rejected: unknown;
    world.link({
      handshake: async (send, receive) => {
        if (late) return;
        late = () => send('late');
        await receive().catch((error: unknown) => (rejected = error));
      },
    });
    await world.pass(300);
    late!();
    await world.pass(100);
    expect(world.log.slice(0, 2)).toEqual(['0 dial 1', '130 attempt closed']);
    expect(rejected).toMatchObject({ kind: 'closed' });
    expect(world.sockets.map(({ received }) => received)).toEqual([[], []]);
  });
});

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
      '1085 open',
      '1085 attempt open',
      '1085 status online',
      '1085 message new',
      '1085 failover drain',
    ]);
    // Last word of the old one to the first of the new one.
    expect(world.reports).toMatchObject([{ cause: 'drain', detectedAfterMs: 0, upAfterMs: 85, downMs: 35 }]);
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
  const hosts = () => world.sockets.map(({ url }) => new URL(url).hostname[0]).join('');

  test('the next one is taken after a failure, and kept', async () => {
    world.behaviour = byHost({ 'a.example': refuses(), 'b.example': accepts() });
    const ws = world.link({}, list);
    await world.pass(1_000);
    expect([hosts(), ws.url]).toEqual(['ab', 'wss://b.example/']);
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
    expect([hosts(), ws.stats().failovers]).toEqual(['abab', 3]);
  });

  test('a node that accepts and then closes does not keep the link', async () => {
    world.behaviour = byHost({
      'a.example': accepts({ endsAfterMs: 10, code: 1013 }),
      'b.example': accepts(),
    });
    world.link({}, list);
    await world.pass(60_000);
    expect(hosts()).toBe('ab');
  });
});
