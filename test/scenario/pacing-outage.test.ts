import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accepts, hangs, heartbeat, opensMute, refuses, sequence, World } from '../support/world.ts';

// Pacing, deadlines and budgets as a link in an outage shows them.
let world: World;
beforeEach(() => (world = new World()));
afterEach(() => world.dispose());

const endsAt = () =>
  world.log.filter((line) => line.includes(' attempt ')).map((line) => Number.parseInt(line));

describe('an outage of refusals', () => {
  const waits = () => world.dialsAt().map((at, i) => at - (endsAt()[i - 1] ?? 0));

  test('fast lane, then full jitter under the cap', async () => {
    world.behaviour = refuses();
    world.link();
    await world.pass(30_000);
    // balanced, random 0.5: 500 · 2ⁿ / 2 up to 8 s / 2; the budget of 24 is never short.
    expect(waits().slice(0, 16)).toEqual([
      0, 0, 0, 0, 0, 0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000,
    ]);
  });

  test('every client of a crowd waits its own time, at every attempt', async () => {
    world.behaviour = refuses();
    world.random = 0.1;
    world.link({ policy: { fastAttempts: 1, dialsPerMinute: 6_000 } });
    await world.pass(10_000);
    expect(waits().slice(0, 9)).toEqual([0, 50, 100, 200, 400, 800, 800, 800, 800]);
  });

  test('300 failures in a row never exceed the budget, and the first one that can serve does, within one cap', async () => {
    let refusals = 300;
    world.behaviour = (socket) => (refusals-- > 0 ? refuses(10) : accepts())(socket);
    // The luckiest of all clients: it draws no wait at all, only the budget holds it.
    world.random = 0;
    const ws = world.link({ policy: 'fast' });
    while (ws.status.name !== 'online') await world.pass(1_000);
    const at = world.dialsAt();
    expect(at).toHaveLength(301);
    // fast: a burst of 24, then one each second.
    for (let i = 0; i < at.length; i++) {
      for (let j = i; j < at.length; j++) {
        expect(j - i + 1, `dials ${i} to ${j}`).toBeLessThanOrEqual(24 + (at[j]! - at[i]!) / 1_000 + 1);
      }
    }
    expect(ws.stats()).toMatchObject({ dials: 301, dialFailures: 300, opens: 1 });
  });

  test('when the node is back, the wait is one cap at most', async () => {
    world.behaviour = refuses(10);
    world.random = 0.999;
    const ws = world.link({ policy: 'fast' });
    await world.pass(600_000);
    world.behaviour = accepts();
    await world.pass(5_000 + 80);
    expect(ws.status.name).toBe('online');
  });

  test('an outage of days fills no memory and tells a story of bounded size', async () => {
    world.behaviour = sequence(accepts(), refuses(10));
    world.link();
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(3_600_000);
    world.behaviour = accepts();
    await world.pass(20_000);
    const [report] = world.reports;
    expect(report!.attempts).toHaveLength(100);
    // First and last are kept: it is the middle that is forgotten.
    expect(report!.attempts[0]).toMatchObject({ startedAt: 1_000_105, outcome: 'refused' });
    expect(report!.attempts.at(-1)).toMatchObject({ outcome: 'open' });
  });
});

describe('nodes that accept and then end', () => {
  test('are dialled at the pace of the budget, not in a loop', async () => {
    world.behaviour = accepts({ endsAfterMs: 0, code: 1011 });
    world.link();
    await world.pass(120_000);
    const at = world.dialsAt();
    // balanced: a burst of 24, then 30 a minute.
    expect(at.length).toBeLessThanOrEqual(24 + 60 + 1);
    expect(at.length).toBeGreaterThan(60);
    for (let i = 28; i < at.length; i++) expect(at[i]! - at[i - 1]!).toBeGreaterThanOrEqual(1_999);
  });

  test('before they say a word: one outage, whose attempts count on', async () => {
    world.behaviour = opensMute({ endsAfterMs: 20 });
    const ws = world.link({ policy: { maxAttempts: 3 }, heartbeat });
    await world.pass(5_000);
    expect(world.log.filter((line) => !line.includes('status'))).toEqual([
      '0 dial 1',
      '80 open',
      '80 attempt open',
      '80 up first',
      '100 down lost',
      '100 dial 2',
      '180 open',
      '180 attempt open',
      '180 up',
      '200 down lost',
      '200 dial 3',
      '280 open',
      '280 attempt open',
      '280 up',
      '300 giveup exhausted',
      '300 error',
      '300 close 1006',
    ]);
    expect(ws.status).toMatchObject({ name: 'failed', error: { kind: 'exhausted' } });
  });

  test('maxAttempts: gives up for good, and leaves nothing', async () => {
    world.behaviour = refuses();
    const ws = world.link({ policy: { maxAttempts: 2 } });
    ws.send('never');
    await world.pass(60_000);
    expect(world.log.filter((line) => !line.includes('status'))).toEqual([
      '0 dial 1',
      '80 attempt refused',
      '80 dial 2',
      '160 attempt refused',
      '160 giveup exhausted',
      '160 warning queue-discarded',
      '160 error',
      '160 close 1006',
    ]);
    expect([ws.readyState, ws.status.name, world.left]).toEqual([
      ws.CLOSED,
      'failed',
      { timers: 0, listeners: 0, sockets: 0 },
    ]);
    ws.send('discarded');
    ws.reconnect();
    ws.close();
    await world.pass(1_000);
    expect([world.sockets.length, ws.bufferedAmount]).toEqual([2, 0]);
  });
});

describe('deadlines', () => {
  const durations = () => endsAt().map((at, i) => at - world.dialsAt()[i]!);

  test('a black hole: six flat ones, then growing ones', async () => {
    world.behaviour = sequence(accepts(), hangs());
    world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(60_000);
    // Connecting takes 80 ms here: 2·80 + 4·40.
    expect(durations().slice(1, 13)).toEqual([
      320, 320, 320, 320, 320, 320, 640, 1_280, 2_560, 5_120, 10_240, 20_480,
    ]);
  });

  test('patient as soon as another dial failed fast: the survivor may be queueing', async () => {
    world.behaviour = sequence(accepts(), refuses(), hangs());
    world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(65_000);
    expect(durations().slice(1)).toEqual([80, 20_000, 40_000]);
  });

  test('a survivor whose accept queue is longer than the flat deadlines is reached', async () => {
    world.behaviour = sequence(accepts(), accepts({ openAfterMs: 2_000 }));
    const ws = world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(20_000);
    expect(ws.status.name).toBe('online');
  });

  test('are above what Chromium adds by itself', async () => {
    world.userAgent = 'Chrome/156';
    world.behaviour = hangs();
    world.link({ policy: 'fast' });
    await world.pass(20_000);
    // Nothing is known of this way: 5 · 300; the engine's own share doubles with each failure, up to 5 s.
    const shares = durations()
      .slice(0, 6)
      .map((ms) => ms - 1_500);
    expect(shares).toEqual([0, 0, 0, 1, 2, 4]);
  });

  test('Firefox: never six abandoned handshakes in its memory, however long the black hole', async () => {
    world.userAgent = 'Mozilla/5.0 Gecko/20100101 Firefox/153.0';
    // The engine itself gives up after 20 s.
    world.behaviour = refuses(20_000);
    const ws = world.link({ policy: 'fast' }, 'wss://app.example/{attempt}/ws');
    await world.pass(900_000);
    const hung = endsAt();
    expect(hung.length).toBeGreaterThan(5);
    for (let i = 5; i < hung.length; i++) expect(hung[i]! - hung[i - 5]!).toBeGreaterThanOrEqual(85_000);
    world.behaviour = accepts();
    await world.pass(240_000);
    expect(ws.status.name).toBe('online');
  });

  test('each dial has a path of its own where the address says so', async () => {
    world.behaviour = refuses();
    let n = 0;
    world.link({ env: { random: () => ((n += 1) * 0.1234567) % 1 } }, 'wss://app.example/{attempt}/ws?x=1');
    await world.pass(1_000);
    const paths = world.sockets.map(({ url }) => new URL(url).pathname);
    expect(paths.length).toBeGreaterThan(5);
    expect(new Set(paths).size).toBe(paths.length);
    for (const path of paths) expect(path).toMatch(/^\/[a-z0-9]{8}\/ws$/);
  });
});

describe('reconnect()', () => {
  test('cuts a wait short', async () => {
    world.behaviour = refuses();
    const ws = world.link({ policy: { fastAttempts: 1, baseMs: 10_000, capMs: 10_000 } });
    await world.pass(500);
    expect(ws.status).toEqual({
      name: 'waiting',
      since: 1_000_000,
      until: 1_005_080,
      attempt: 2,
      cause: 'refused',
    });
    world.behaviour = accepts();
    ws.reconnect();
    await world.pass(80);
    expect(world.log.slice(3)).toEqual([
      '500 status connecting',
      '500 dial 2',
      '580 open',
      '580 attempt open',
      '580 up first',
      '580 status online',
    ]);
  });

  test('while dialling does nothing', async () => {
    const ws = world.link();
    ws.reconnect();
    await world.pass(40);
    ws.reconnect();
    await world.pass(500);
    expect(world.sockets).toHaveLength(1);
  });

  test('where dials hang it leaves the one under way, which may hang for a minute', async () => {
    world.behaviour = sequence(accepts(), hangs());
    const ws = world.link({ policy: 'fast' });
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(60_000);
    expect(ws.status.name).toBe('connecting');
    world.behaviour = accepts();
    await world.pass(5_000);
    expect(ws.status.name).toBe('connecting');
    ws.reconnect();
    await world.pass(100);
    expect(ws.status.name).toBe('online');
  });

  test('while online makes before it breaks, and tells the failover', async () => {
    world.behaviour = sequence(accepts(), accepts({ greeting: 'new' }));
    const ws = world.link({ heartbeat });
    await world.pass(1_000);
    ws.reconnect();
    const [old] = world.sockets;
    await world.pass(50);
    ws.send('still to the old one');
    await world.pass(500);
    expect(old!.received).toContain('still to the old one');
    expect(world.log.slice(5)).toEqual([
      '1000 dial 2',
      '1120 open',
      '1120 attempt open',
      '1120 status online',
      '1120 message new',
      '1120 failover manual',
    ]);
    expect(world.reports).toMatchObject([{ cause: 'manual', upAfterMs: 120, unconfirmedSends: 1 }]);
  });

  test('in a `down` listener takes the place of the wait that was about to begin', async () => {
    const ws = world.link();
    ws.on('down', () => ws.reconnect());
    await world.pass(100);
    world.last.serverEnds();
    await world.pass(90);
    expect(world.log.slice(5)).toEqual([
      '100 down lost',
      '100 status connecting',
      '100 dial 2',
      '180 open',
      '180 attempt open',
      '180 up',
      '180 status online',
      '180 failover lost',
    ]);
    ws.close();
    await world.pass(50);
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
  });

  test('in every listener of an outage, from `down` on, still one dial at a time', async () => {
    world.behaviour = sequence(accepts(), refuses(), refuses(), accepts());
    const ws = world.link({ heartbeat });
    let most = 0;
    for (const event of ['down', 'attempt', 'status', 'up', 'failover'] as const) {
      ws.on(event, () => {
        if (world.reports.length === 0 && event !== 'up') ws.reconnect();
        most = Math.max(most, world.sockets.filter(({ readyState }) => readyState === 0).length);
      });
    }
    await world.pass(1_000);
    world.last.serverEnds();
    await world.pass(5_000);
    expect(most).toBeLessThanOrEqual(1);
    expect(ws.status.name).toBe('online');
  });
});
