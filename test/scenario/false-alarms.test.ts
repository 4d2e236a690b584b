import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { POLICIES, type PolicyName } from '../../src/core/api/reconnect-policy.ts';
import type { FailoverOptions } from '../../src/core/api/options.ts';
import { seeded } from '../support/random.ts';
import { accepts, hangs, heartbeat, ONE_WAY, opensMute, refuses, sequence, World } from '../support/world.ts';
import type { Behaviour, FakeSocket } from '../support/world.ts';

// What looks like a dead node and is none must cost the app nothing; what never gets better must cost the server little.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const told = (what: RegExp) => world.log.filter((line) => what.test(line));
/** Least that was left in the policy's bucket, had each dial taken one out. */
const leastTokens = (policy: PolicyName) => {
  const { fastAttempts, dialsPerMinute } = POLICIES[policy];
  const full = 3 * fastAttempts;
  let [tokens, last, least] = [full, 0, full];
  for (const ms of world.dialsAt()) {
    tokens = Math.min(full, tokens + ((ms - last) * dialsPerMinute) / 60_000) - 1;
    last = ms;
    least = Math.min(least, tokens);
  }
  return least;
};

describe('a server that stalls for 0.3 to 1 s at three pings of ten, for ten minutes', () => {
  /** Answers in order; a stall holds up what comes behind it. */
  const stalls =
    (random: () => number): Behaviour =>
    (socket) => {
      let saidAt = 0;
      const reply = (frame: unknown): undefined => {
        const stall = frame === 'ping' && random() < 0.3 ? 300 + random() * 700 : 0;
        saidAt = Math.max(saidAt, world.now + stall);
        socket.serverSends(frame === 'ping' ? 'pong' : `re ${String(frame)}`, ONE_WAY + saidAt - world.now);
      };
      accepts({ reply })(socket);
    };

  test.each<[PolicyName, number, number]>([
    ['fast', 1, 1_000],
    ['fast', 2, 1_000],
    ['balanced', 3, 3_000],
    ['frugal', 4, 20_000],
  ])('%s, seed %d: never down, nothing sent twice or out of order', async (policy, seed, everyMs) => {
    const random = seeded(seed);
    world.behaviour = stalls(random);
    const ws = world.link({ policy, heartbeat, env: { random } });
    ws.subscriptions.set('a', 'sub a');
    await world.pass(1_000);
    const sends = 600_000 / everyMs;
    for (let i = 0; i < sends; i++) {
      // In use: it pings at its shortest intervals.
      world.page('active');
      ws.send(String(i));
      await world.pass(everyMs);
    }
    await world.pass(20_000);
    expect(told(/ (down|up|error|close|warning|giveup|overflow)\b/)).toEqual(['80 up first']);
    const { pingsSent, suspicions, hedgesCancelled, failovers, dials, opens } = ws.stats();
    expect(hedgesCancelled + failovers).toBe(suspicions);
    expect([opens, world.reports.length]).toEqual([1 + failovers, failovers]);
    // frugal waits a second at least for an answer: these stalls are none to it.
    expect([pingsSent > 25, suspicions > 10]).toEqual([true, policy !== 'frugal']);
    expect(leastTokens(policy)).toBeGreaterThan(-0.01);
    expect(dials).toBeLessThanOrEqual(1 + 2 * suspicions);
    // Whichever connection they went on, each frame was written once and in order.
    const numbers = world.sockets.flatMap(({ received }) =>
      received.filter((frame) => /^\d+$/.test(String(frame))),
    );
    expect(numbers.map(Number)).toEqual(Array.from({ length: sends }, (_, i) => i));
    for (const { received } of world.sockets.filter((socket) => socket.received.length > 1))
      expect(received.filter((frame) => frame === 'sub a').length).toBeLessThanOrEqual(1);
  });
});

describe('a frame of ours that nobody answers', () => {
  /** Knows pings, and answers what the app asks unless it is told not to. */
  const talks: Behaviour = accepts({
    reply: (frame) => (frame === 'ping' ? 'pong' : frame === 'ask' ? 'answer' : undefined),
  });
  const pings = (socket: FakeSocket = world.last) =>
    socket.received.filter((frame) => frame === 'ping').length;
  const start = async (options: FailoverOptions = {}) => {
    world.behaviour = sequence(talks, talks);
    const ws = world.link({ policy: 'frugal', heartbeat, ...options });
    // frugal: pings after 15 s of silence; an answer has a second at least.
    await world.pass(1_000);
    expect(pings()).toBe(1);
    return ws;
  };

  test('brings the ping forward', async () => {
    const ws = await start();
    ws.send('told');
    await world.pass(1_000 + ONE_WAY - 1);
    expect(pings()).toBe(1);
    await world.pass(1);
    expect(pings()).toBe(2);
    // Answered: the next one is due after the usual silence again.
    await world.pass(14_000);
    expect(pings()).toBe(2);
  });

  test('suspicion follows, long before the silence would have been noticed', async () => {
    const ws = await start();
    world.last.vanished = true;
    ws.send('told');
    await world.pass(5_000);
    // Sent at 1000, pinged at 2000, given up at 3000; last heard at 120.
    expect(told(/suspect after/)).toEqual(['3000 suspect after 2880']);
    expect(ws.stats()).toMatchObject({ suspicions: 1, failovers: 1 });
  });

  test('one that is answered does not', async () => {
    const ws = await start();
    for (let i = 0; i < 10; i++) {
      ws.send('ask');
      await world.pass(500);
    }
    await world.pass(5_000);
    expect(pings()).toBe(1);
  });

  test('any word of the server is an answer', async () => {
    const ws = await start();
    ws.send('told');
    await world.pass(900);
    world.last.serverSends('news', 0);
    await world.pass(10_000);
    expect(pings()).toBe(1);
  });

  test('the first of many counts, not the last', async () => {
    const ws = await start();
    for (let i = 0; i < 9; i++) {
      ws.send('told');
      await world.pass(110);
    }
    await world.pass(50);
    expect(pings()).toBe(2);
  });

  test('who only uploads pings no more than once in the time that an answer has', async () => {
    const ws = await start();
    for (let i = 0; i < 3_000; i++) {
      ws.send('told');
      await world.pass(10);
    }
    // 30 s: one ping a second, and a round trip in between.
    expect(pings()).toBeGreaterThan(25);
    expect(pings()).toBeLessThanOrEqual(1 + 30);
    expect(ws.stats()).toMatchObject({ suspicions: 0, framesSent: 3_000 });
  });

  test.each<[string, FailoverOptions]>([
    ['no heartbeat', { heartbeat: false }],
    ['a passive one', { heartbeat: { expectEveryMs: 60_000 } }],
  ])('%s: nothing to ask with', async (_, options) => {
    world.behaviour = talks;
    const ws = world.link({ policy: 'fast', ...options });
    await world.pass(1_000);
    ws.send('told');
    await world.pass(30_000);
    expect([world.last.received, ws.stats().pingsSent]).toEqual([['told'], 0]);
  });

  test('held while suspect it is not waited for until it goes out', async () => {
    world.behaviour = sequence(talks, hangs());
    const ws = world.link({ policy: 'fast', heartbeat });
    await world.pass(1_000);
    world.last.stallMs = 330;
    await world.pass(360);
    expect(ws.status.name).toBe('suspect');
    ws.send('held');
    world.sockets[0]!.stallMs = 0;
    await world.pass(3_000);
    expect(ws.stats()).toMatchObject({ suspicions: 1, hedgesCancelled: 1, failovers: 0 });
  });
});

describe('a server that knows no heartbeat', () => {
  test.each<[string, boolean]>([
    ['hedged', true],
    ['not hedged', false],
  ])('%s: warned of once, then left alone', async (_, hedge) => {
    world.behaviour = opensMute();
    const ws = world.link({ policy: 'fast', heartbeat, hedge });
    await world.pass(600_000);
    expect(told(/warning/).map((line) => line.split(' ').slice(1).join(' '))).toEqual([
      'warning heartbeat-unanswered',
    ]);
    expect([ws.status.name, world.left.sockets]).toEqual(['online', 1]);
    expect(world.sockets.length).toBeLessThanOrEqual(3);
    const { length } = world.sockets;
    // A hang is invisible now: as without a heartbeat.
    world.last.vanished = true;
    await world.pass(600_000);
    expect(world.sockets.length).toBe(length);
    world.page('restored');
    await world.pass(1_000);
    expect(ws.status.name).toBe('online');
  });

  test.each<[string, PolicyName, boolean]>([
    ['hedged', 'fast', true],
    ['not hedged', 'fast', false],
    ['hedged', 'balanced', true],
    ['not hedged', 'balanced', false],
  ])('%s, %s, although its protocol obliges it: paced, and never switched off', async (_, policy, hedge) => {
    world.behaviour = opensMute();
    world.random = 0;
    const ws = world.link({ policy, heartbeat: { ...heartbeat, required: true }, hedge });
    await world.pass(600_000);
    expect(told(/warning|giveup/)).toEqual([]);
    expect(leastTokens(policy)).toBeGreaterThan(-0.01);
    expect(world.sockets.length).toBeGreaterThan(15);
    expect(world.left.sockets).toBeLessThanOrEqual(2);
    // It learns to answer: all is well within a cap and a deadline, which by now is as long as engines allow.
    world.behaviour = accepts();
    await world.pass(POLICIES[policy].capMs + 60_000 + POLICIES[policy].replyCapMs);
    const { length } = world.sockets;
    await world.pass(60_000);
    expect([ws.status.name, world.sockets.length]).toEqual(['online', length]);
  });
});

test.each([true, false])(
  'a server that talks but answers no ping, hedge %s: three losses, a warning, peace',
  async (hedge) => {
    world.behaviour = opensMute({ greeting: 'hello' });
    const ws = world.link({ policy: 'fast', heartbeat: { ...heartbeat, required: true }, hedge });
    await world.pass(600_000);
    expect(told(/warning/)).toEqual([expect.stringMatching(/ warning heartbeat-unanswered$/)]);
    expect(world.sockets.length).toBeLessThanOrEqual(4);
    expect([ws.status.name, world.left.sockets]).toEqual(['online', 1]);
  },
);

describe('300 failed handshakes in a row', () => {
  test.each<[PolicyName, string, number]>([
    ['fast', 'the luckiest client', 0],
    ['fast', 'the unluckiest', 0.999],
    ['balanced', 'the luckiest client', 0],
    ['balanced', 'the unluckiest', 0.999],
    ['frugal', 'the luckiest client', 0],
    ['frugal', 'the unluckiest', 0.999],
  ])('%s, %s: never above the budget, and served within one cap', async (policy, _, random) => {
    let left = 300;
    let healthyAt = NaN;
    world.behaviour = (socket) => {
      left -= 1;
      if (left === 0) setTimeout(() => (healthyAt = world.now), 10);
      (left >= 0 ? refuses(10) : accepts())(socket);
    };
    world.random = random;
    const ws = world.link({ policy, probe: false });
    while (ws.status.name !== 'online') await world.pass(10_000);
    expect(ws.stats()).toMatchObject({ dials: 301, dialFailures: 300, opens: 1 });
    expect(leastTokens(policy)).toBeGreaterThan(-0.01);
    const upAt = world.log
      .filter((line) => line.endsWith(' up first'))
      .map((line) => Number.parseInt(line))[0]!;
    expect(upAt - healthyAt).toBeLessThanOrEqual(POLICIES[policy].capMs + 80);
  });

  test.each<PolicyName>(['fast', 'balanced', 'frugal'])('%s: that hang instead', async (policy) => {
    world.behaviour = hangs();
    world.random = 0.999;
    const ws = world.link({ policy });
    await world.pass(3_600_000);
    expect(leastTokens(policy)).toBeGreaterThan(-0.01);
    world.behaviour = accepts();
    const { capMs } = POLICIES[policy];
    // The dial that still hangs, which after an hour is given as long as an engine gives it, and one wait.
    await world.pass(60_000 + capMs + 80);
    expect(ws.status.name).toBe('online');
  });

  test.each<PolicyName>(['fast', 'balanced', 'frugal'])(
    '%s: that hang instead, and then the network is back: at once',
    async (policy) => {
      world.behaviour = hangs();
      world.random = 0.999;
      const ws = world.link({ policy });
      await world.pass(3_600_000);
      world.behaviour = accepts();
      world.page('online');
      await world.pass(1_000);
      expect(ws.status.name).toBe('online');
    },
  );
});
