import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, heartbeat, refuses, sequence, World } from '../support/world.ts';

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
      ).map(([kind, code]) => ({ kind, code, reason: `because ${code}`, wasClean: code !== 1006 })),
    );
  });

  test('the report waits for what the layers above replay', async () => {
    let done!: (replayed: number) => void;
    world.link({
      layer: {
        replayed: () => new Promise((resolve) => (done = resolve)),
        leave: () => ({ frame() {}, left() {}, done: Promise.resolve() }),
      },
    });
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(1_000);
    expect(world.reports).toEqual([]);
    done(7);
    await world.pass(0);
    expect(world.reports).toMatchObject([{ upAfterMs: 85, replayMs: 915, replayed: 7 }]);
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
