import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, heartbeat, opensMute, sequence, World } from '../support/world.ts';

// Latency of the fake network: 20 ms one way; an upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const UP_FIRST = ['0 dial 1', '80 open', '80 attempt open', '80 up first', '80 status online'];

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

  test('active: with a field of the other kind that is there and undefined', async () => {
    const ws = world.link({ policy: 'fast', heartbeat: { message: 'ping', expectEveryMs: undefined } });
    await world.pass(1_000);
    expect([ws.status.name, world.last.received.includes('ping')]).toEqual(['online', true]);
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
  test('a frame of which isReply could not say what it is measures nothing', async () => {
    world.behaviour = accepts({ greeting: 'hello', reply: () => undefined });
    const isReply = () => {
      throw new Error('boom');
    };
    const ws = world.link({ heartbeat: { message: 'ping', isReply } });
    await world.pass(100);
    expect(ws.stats()).toMatchObject({ framesReceived: 1, rttMs: undefined });
  });

  test('measures and confirms also by an answer that comes behind other frames', async () => {
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
