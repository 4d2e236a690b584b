import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailoverEvents } from '../../src/core/api/events.ts';
import type { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import type { FailoverOptions, LogLevel } from '../../src/core/api/options.ts';
import { accepts, hangs, heartbeat, opensMute, refuses, sequence, World } from '../support/world.ts';

let world: World;
let lines: { level: LogLevel; event: string; detail: unknown }[];
beforeEach(() => {
  world = new World();
  lines = [];
});
afterEach(() => world.dispose());

const log: FailoverOptions['log'] = (level, event, detail) => lines.push({ level, event, detail });
const SECRET = 'wss://user:secret@app.example/ws?token=secret';
const told = () => lines.map(({ level, event }) => `${level} ${event}`);

/** An outage with everything in it: loss, refusals and a probe, a hang, a notice, and the end. */
const everything = async (options: FailoverOptions = {}) => {
  world.fetchAnswer = () =>
    Promise.resolve(new Response(null, { status: 503, headers: { 'retry-after': '1' } }));
  world.behaviour = sequence(accepts(), refuses(), refuses(), accepts(), accepts(), accepts(), refuses());
  const ws = world.link(
    {
      policy: { preset: 'fast', maxAttempts: 20 },
      heartbeat,
      serverNotices: true,
      queue: { maxMessages: 1, overflow: 'drop-oldest' },
      ...options,
    },
    SECRET,
  );
  await world.pass(1_000);
  world.last.serverEnds(1011, 'gone');
  ws.send('1');
  ws.send('2');
  await world.pass(4_000);
  world.last.vanished = true;
  await world.pass(1_000);
  world.last.serverSends('{"msg":"drain"}', 0);
  await world.pass(1_000);
  ws.subscriptions.set('bad', () => {
    throw new Error('boom');
  });
  world.last.serverEnds();
  await world.pass(60_000);
  return ws;
};

describe('the log', () => {
  test('is told every event, with its level and what it says', async () => {
    await everything({ log });
    const levels = Object.fromEntries(lines.map(({ level, event }) => [event, level]));
    expect(levels).toEqual({
      status: 'debug',
      attempt: 'debug',
      probe: 'debug',
      up: 'info',
      failover: 'info',
      drain: 'info',
      suspect: 'warn',
      down: 'warn',
      warning: 'warn',
      overflow: 'error',
      giveup: 'error',
    });
  });

  test('in the order of the events, before their listeners, with the same detail', async () => {
    const ws = world.link({ log });
    const at: [number, unknown][] = [];
    ws.on('status', (status) => at.push([lines.length, status]));
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(told()).toEqual([
      'debug status',
      'debug attempt',
      'info up',
      'debug status',
      'warn down',
      'debug status',
      'debug status',
      'debug attempt',
      'info up',
      'debug status',
      'info failover',
    ]);
    for (const [lengthThen, status] of at) {
      expect(lines[lengthThen - 1]).toEqual({ level: 'debug', event: 'status', detail: status });
    }
    expect(at).toHaveLength(4);
    expect(lines.at(-1)!.detail).toBe(world.reports[0]);
  });

  test('says nothing while nothing happens, and nothing of what is sent or received', async () => {
    const ws = world.link({ log, policy: 'fast', heartbeat });
    await world.pass(500);
    lines = [];
    ws.send('a secret');
    world.last.serverSends('another');
    await world.pass(3_600_000);
    expect(lines).toEqual([]);
  });

  test('holds no userinfo and no query, and is fit for JSON', async () => {
    await everything({ log });
    expect(lines.length).toBeGreaterThan(30);
    const json = JSON.stringify(lines);
    expect(json).not.toContain('secret');
    expect(json).toContain('wss://app.example/ws');
    for (const { detail } of lines) expect(JSON.parse(JSON.stringify(detail))).toBeDefined();
  });

  test('a link that is closed has said its last word', async () => {
    const ws = world.link({ log, heartbeat });
    await world.pass(1_000);
    ws.close();
    await world.pass(1_000);
    const { length } = lines;
    world.page('visible');
    world.page('restored');
    ws.reconnect();
    await world.pass(60_000);
    expect([lines.length, lines.at(-1)!.detail]).toEqual([
      length,
      { name: 'closed', code: 1000, reason: '' },
    ]);
  });
});

describe('a log that throws', () => {
  test.each<keyof FailoverEvents>([
    'status',
    'attempt',
    'probe',
    'up',
    'failover',
    'drain',
    'suspect',
    'down',
    'warning',
    'overflow',
    'giveup',
  ])('at `%s`: the story is the same, listeners hear it, and the error is told', async (event) => {
    await everything();
    const without = world.story();
    world.dispose();
    world = new World();
    const boom = new Error('disk full');
    let threw = 0;
    await everything({
      log: (_, name) => {
        if (name !== event) return;
        threw += 1;
        throw boom;
      },
    });
    expect(world.story()).toEqual(without);
    expect(threw).toBeGreaterThan(0);
    expect(world.errors).toEqual(Array.from({ length: threw }, () => boom));
  });

  test('at everything: a hang, a loss, the page away', async () => {
    world.behaviour = sequence(accepts(), hangs(), opensMute(), accepts());
    const ws = world.link({
      policy: 'fast',
      heartbeat,
      log: () => {
        throw new Error('boom');
      },
    });
    await world.pass(1_000);
    world.last.vanished = true;
    await world.pass(3_000);
    expect([ws.status.name, ws.stats().failovers]).toEqual(['online', 1]);
    world.page('hide');
    await world.pass(1_000);
    world.page('restored');
    await world.pass(1_000);
    expect([ws.status.name, ws.stats().failovers]).toEqual(['online', 2]);
    ws.close();
    await world.pass(1_000);
    expect([ws.readyState, world.left]).toEqual([ws.CLOSED, { timers: 0, listeners: 0, sockets: 0 }]);
  });

  test.each<keyof FailoverEvents>(['up', 'attempt', 'suspect', 'down', 'status'])(
    'a log that closes the link at `%s`',
    async (event) => {
      world.behaviour = sequence(accepts(), hangs());
      const link: { ws?: FailoverWebSocket } = {};
      link.ws = world.link({
        policy: 'fast',
        heartbeat,
        log: (_, name) => name === event && link.ws?.close(),
      });
      await world.pass(1_000);
      world.sockets[0]!.vanished = true;
      await world.pass(500);
      world.page('restored');
      await world.pass(3_000);
      expect([link.ws.readyState, world.left]).toEqual([3, { timers: 0, listeners: 0, sockets: 0 }]);
      expect(world.log.filter((line) => /^\d+ close/.test(line))).toHaveLength(1);
    },
  );
});
