import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, hangs, heartbeat, pong, sequence, World } from '../support/world.ts';

// Latency of the fake network: 20 ms one way; an upgrade or a refusal takes 80 ms, an answer 40 ms.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

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
