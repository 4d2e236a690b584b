import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DDPClient, type ApplyOptions, type DDPOptions } from '../../../src/ddp/index.ts';
import { Cluster, type ClusterNode } from '../../support/ddp-cluster.ts';
import { seeded } from '../../support/random.ts';
import { ONE_WAY, sequence, World, type FakeSocket } from '../../support/world.ts';

// A real client on a real link moves from a node that still works: what that one was asked it answers, what it shows is shown
// until the new one is exact. 20 ms one way; an upgrade takes 80 ms, an answer 40 ms.
let world: World;
let cluster: Cluster;
beforeEach(() => {
  world = new World();
  cluster = new Cluster(world);
});
afterEach(() => world.dispose());

const client = (options: DDPOptions = {}) =>
  new DDPClient('wss://app.example/websocket', { policy: 'fast', env: world.env, ...options });
/** Writes down how a call settles, every time it does. */
const call = (ddp: DDPClient, id: string, n = 0, options: ApplyOptions = {}) =>
  void ddp.apply('put', [id, n], options).then(
    () => world.say(`${id} done`),
    (error: { kind: string }) => world.say(`${id} ${error.kind}`),
  );
const watch = (ddp: DDPClient) =>
  ddp.collection('c').observe({
    added: ({ _id, n }) => world.say(`+${_id} ${String(n)}`),
    changed: ({ _id, n }) => world.say(`~${_id} ${String(n)}`),
    removed: ({ _id }) => world.say(`-${_id}`),
  });
const start = async (nodes: ClusterNode[] = [], options: DDPOptions = {}) => {
  world.behaviour = sequence(...[...nodes, {}].map((node) => cluster.node(node)));
  const ddp = client(options);
  const sub = ddp.subscribe('all');
  await world.pass(1_000);
  world.story();
  return { ddp, sub, old: world.sockets[0]! };
};
const sent = (socket: FakeSocket | undefined) =>
  socket!.received
    .map((frame) => JSON.parse(frame as string) as { msg: string; params?: unknown[]; name?: string })
    .filter(({ msg }) => !['ping', 'pong'].includes(msg))
    .map(({ msg, params, name }) =>
      [msg, name, ...(params ?? [])].filter((part) => part !== undefined).join(' '),
    );
const visible = (ddp: DDPClient) =>
  Object.fromEntries(
    ddp
      .collection<{ n: number }>('c')
      .find()
      .map(({ _id, n }) => [_id, n]),
  );

describe('calls', () => {
  test('what the old one was asked it answers, once; what is asked meanwhile waits its turn and goes to the new one', async () => {
    const { ddp, old } = await start([{ methodMs: 300 }]);
    call(ddp, 'a');
    call(ddp, 'b');
    ddp.reconnect();
    await world.pass(200);
    call(ddp, 'c');
    call(ddp, 'd', 0, { retry: false });
    await world.pass(110);
    expect([sent(world.sockets[1]), old.closedWith]).toEqual([['connect', 'sub all'], undefined]);
    await world.pass(200);
    expect(world.story()).toEqual([
      '1000 dial 2',
      '1340 a done',
      '1340 b done',
      '1380 c done',
      '1380 d done',
    ]);
    expect(cluster.ran).toEqual(['a,0@1', 'b,0@1', 'c,0@2', 'd,0@2']);
    expect(sent(old)).toEqual(['connect', 'sub all', 'method a 0', 'method b 0']);
    expect(old.closedWith).toEqual({ code: 1000, reason: '' });
    expect(world.left.sockets).toBe(1);
  });

  test('what waits goes with the last answer, although the new one is not exact yet', async () => {
    const { ddp } = await start([{ methodMs: 300 }, { subMs: 1_000 }]);
    call(ddp, 'a');
    ddp.reconnect();
    await world.pass(200);
    call(ddp, 'b');
    // 'a' is answered at 1340.
    await world.pass(170);
    expect(sent(world.sockets[1])).toEqual(['connect', 'sub all', 'method b 0']);
  });

  test('what waits for the old one to answer is bounded like a queue, and what that was asked is not part of it', async () => {
    const { ddp } = await start([{ methodMs: 300 }], { queue: { maxMessages: 1 } });
    call(ddp, 'a');
    ddp.reconnect();
    await world.pass(200);
    call(ddp, 'b');
    call(ddp, 'c');
    await world.pass(500);
    expect(world.story()).toEqual(['1000 dial 2', '1200 c overflow', '1340 a done', '1380 b done']);
  });

  test('with nothing under way the old one is closed when the new one is exact', async () => {
    const { ddp, old } = await start([{}, { subMs: 300 }]);
    ddp.reconnect();
    await world.pass(450);
    expect(old.closedWith).toBeUndefined();
    await world.pass(20);
    // Open at 1080; asked at 1120, ready at 1460.
    expect(old.closedWith).toEqual({ code: 1000, reason: '' });
  });

  test('the old one ends before the answers: what may be sent twice is, the rest is told', async () => {
    const { ddp, old } = await start([{ methodMs: 300 }]);
    call(ddp, 'a');
    call(ddp, 'once', 0, { retry: false });
    call(ddp, 'b');
    ddp.reconnect();
    await world.pass(200);
    call(ddp, 'c');
    old.serverEnds();
    await world.pass(500);
    expect(world.story()).toEqual([
      '1000 dial 2',
      '1200 once unconfirmed',
      '1240 a done',
      '1240 b done',
      '1240 c done',
    ]);
    expect(sent(world.sockets[1])).toEqual(['connect', 'sub all', 'method a 0', 'method b 0', 'method c 0']);
  });

  test('the old one never answers: bounded by the cap of the deadlines', async () => {
    const { ddp, old } = await start([{ methodMs: 1e9 }]);
    call(ddp, 'a');
    call(ddp, 'once', 0, { retry: false });
    ddp.reconnect();
    await world.pass(10_000);
    expect([world.story(), old.closedWith]).toEqual([['1000 dial 2'], undefined]);
    await world.pass(1_000);
    // The handover was at 1120.
    expect(world.story()).toEqual(['11120 once unconfirmed', '11160 a done']);
    expect([sent(world.sockets[1]), world.left.sockets]).toEqual([['connect', 'sub all', 'method a 0'], 1]);
  });

  test('the old one is cut off without a word: the same', async () => {
    const { ddp, old } = await start([{ methodMs: 300 }]);
    call(ddp, 'a');
    call(ddp, 'once', 0, { retry: false });
    ddp.reconnect();
    await world.pass(130);
    old.vanished = true;
    await world.pass(20_000);
    expect(world.story()).toEqual(['1000 dial 2', '11120 once unconfirmed', '11160 a done']);
    expect(ddp.stats()).toMatchObject({ suspicions: 0, failovers: 1 });
  });

  test('a timeout, an abort, an error: the old one is let go when nothing is left to wait for', async () => {
    const { ddp, old } = await start([{ methodMs: 1e9 }]);
    const controller = new AbortController();
    call(ddp, 'a', 0, { timeoutMs: 400 });
    call(ddp, 'b', 0, { signal: controller.signal });
    ddp.reconnect();
    await world.pass(500);
    expect([world.story(), old.closedWith]).toEqual([['1000 dial 2', '1400 a timeout'], undefined]);
    controller.abort();
    await world.pass(1);
    expect([world.story(), old.closedWith]).toEqual([['1500 b aborted'], { code: 1000, reason: '' }]);
    expect(cluster.ran).toEqual([]);
  });

  test('the new one is lost while the old one still answers: everything settles once', async () => {
    const { ddp } = await start([{ methodMs: 300 }, {}, {}]);
    call(ddp, 'a');
    call(ddp, 'once', 0, { retry: false });
    ddp.reconnect();
    await world.pass(200);
    call(ddp, 'b');
    world.sockets[1]!.serverEnds();
    await world.pass(2_000);
    const settled = world.story().filter((line) => !line.includes('dial'));
    expect(settled.map((line) => line.split(' ')[1]).sort()).toEqual(['a', 'b', 'once']);
    expect(cluster.ran.filter((run) => run.startsWith('once'))).toHaveLength(1);
    expect(world.left.sockets).toBe(1);
  });

  test.each<[string, (old: FakeSocket) => void, string]>([
    ['ends before', (old) => old.serverEnds(), '1600 a done'],
    ['is cut off before', (old) => (old.vanished = true), '11120 a done'],
  ])('a result whose `updated` the old one %s is a result all the same', async (_, happens, done) => {
    const { ddp, old } = await start([{ methodMs: 300, updatedMs: 1_000 }]);
    call(ddp, 'a', 0, { timeoutMs: Infinity });
    ddp.reconnect();
    await world.pass(600);
    expect(old.closedWith).toBeUndefined();
    happens(old);
    await world.pass(60_000);
    expect([world.story(), cluster.ran]).toEqual([['1000 dial 2', done], ['a,0@1']]);
  });

  test('a result whose `updated` is still to come when the old one ends waits for the new documents', async () => {
    const { ddp, old } = await start([{ methodMs: 100, updatedMs: 1_000 }, { subMs: 400 }]);
    watch(ddp);
    world.story();
    call(ddp, 'a', 5, { timeoutMs: Infinity });
    ddp.reconnect();
    await world.pass(300);
    old.serverEnds();
    await world.pass(2_000);
    // The document had come with the result; the new one is exact at 1560.
    expect(world.story()).toEqual(['1000 dial 2', '1140 +a 5', '1560 a done']);
  });

  test('a second move while the first one is under way', async () => {
    const { ddp } = await start([{ methodMs: 1_000 }, { methodMs: 1_000 }, {}]);
    call(ddp, 'a');
    ddp.reconnect();
    await world.pass(200);
    // The first one is let go: what it was asked may be asked again.
    ddp.reconnect();
    await world.pass(5_000);
    expect(world.story().filter((line) => !line.includes('dial'))).toHaveLength(1);
    expect(sent(world.sockets[2])).toContain('sub all');
    expect([world.left.sockets, world.sockets.length]).toEqual([1, 3]);
  });

  test('close() in the middle: all of it ends, once', async () => {
    for (const ms of [40, 100, 125, 200]) {
      const { ddp } = await start([{ methodMs: 300 }]);
      call(ddp, 'a');
      call(ddp, 'once', 0, { retry: false });
      const from = world.now;
      ddp.reconnect();
      await world.pass(ms);
      call(ddp, 'b');
      ddp.close();
      await world.pass(2_000);
      const settled = world.story().filter((line) => /(closed|unconfirmed)$/.test(line));
      expect(settled.map((line) => line.replace(/(closed|unconfirmed)$/, 'ended')).sort()).toEqual(
        ['a', 'b', 'once'].map((id) => `${from + ms} ${id} ended`),
      );
      expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
    }
  });

  test('the page is left in the middle: nothing is left of either', async () => {
    const { ddp } = await start([{ methodMs: 300 }]);
    call(ddp, 'a', 0, { timeoutMs: Infinity });
    call(ddp, 'once', 0, { retry: false });
    ddp.reconnect();
    await world.pass(200);
    world.page('hide');
    await world.pass(60_000);
    expect(world.story()).toEqual(['1000 dial 2', '1200 once unconfirmed']);
    expect([world.left.timers, world.left.sockets]).toEqual([0, 0]);
    world.page('restored');
    await world.pass(500);
    expect(world.story()).toEqual(['61200 dial 3', '61320 a done']);
  });

  test('a login under way is not taken for one that failed', async () => {
    const { ddp } = await start([{ methodMs: 300 }]);
    const login = ddp.login({ password: 'x' });
    ddp.reconnect();
    await world.pass(1_000);
    await expect(login).resolves.toBeDefined();
    expect(world.left.sockets).toBe(1);
  });
});

describe('documents', () => {
  test("the old one's are shown until the new one is exact, then its own; nothing flickers", async () => {
    cluster.put('x', { n: 1 });
    cluster.put('y', { n: 1 });
    const { ddp, old } = await start([{}, { subMs: 400 }]);
    watch(ddp);
    world.story();
    ddp.reconnect();
    // Current at 1120; its documents come at 1560.
    await world.pass(200);
    cluster.put('x', { n: 2 });
    cluster.put('z', { n: 1 });
    await world.pass(100);
    cluster.say(old, { msg: 'removed', collection: 'c', id: 'y' });
    cluster.docs.delete('y');
    await world.pass(1_000);
    expect(world.story()).toEqual(['1000 dial 2', '1220 ~x 2', '1220 +z 1', '1320 -y']);
    expect(visible(ddp)).toEqual({ x: 2, z: 1 });
  });

  test('what only the new one knows comes with the swap, as one difference', async () => {
    cluster.put('x', { n: 1 });
    const { ddp, old } = await start([{}, { subMs: 400 }]);
    watch(ddp);
    world.story();
    ddp.reconnect();
    await world.pass(200);
    old.vanished = true;
    cluster.put('x', { n: 2 });
    cluster.put('z', { n: 1 });
    await world.pass(1_000);
    expect(world.story()).toEqual(['1000 dial 2', '1560 ~x 2', '1560 +z 1']);
  });

  test('what the old one says once the new one is exact is not taken', async () => {
    cluster.put('x', { n: 1 });
    const { ddp, old } = await start([{ methodMs: 1e9 }]);
    call(ddp, 'a');
    ddp.reconnect();
    await world.pass(500);
    watch(ddp);
    world.story();
    cluster.say(old, { msg: 'changed', collection: 'c', id: 'x', fields: { n: 'late' } });
    cluster.say(old, { msg: 'added', collection: 'c', id: 'ghost', fields: {} });
    cluster.say(old, { msg: 'removed', collection: 'c', id: 'x' });
    cluster.say(old, { msg: 'ready', subs: ['1'] });
    cluster.say(old, { msg: 'nosub', id: '1' });
    cluster.say(old, { msg: 'failed', version: 'pre1' });
    cluster.say(old, { msg: 'nonsense' });
    old.serverSends('no JSON at all');
    await world.pass(500);
    expect([world.story(), visible(ddp)]).toEqual([[], { x: 1 }]);
    expect(ddp.stats()).toMatchObject({ dials: 2, failovers: 1 });
  });

  test('a call answered by the old one has its documents before it settles', async () => {
    const { ddp } = await start([{ methodMs: 50 }, { subMs: 400 }]);
    watch(ddp);
    ddp.reconnect();
    await world.pass(60);
    call(ddp, 'a', 7);
    await world.pass(1_000);
    // The new one is current at 1120 and exact at 1560.
    expect(world.story()).toEqual(['1000 dial 2', '1150 +a 7', '1150 a done']);
  });

  test('the old one ends before the new one is exact: its documents stay until then', async () => {
    cluster.put('x', { n: 1 });
    const { ddp, old } = await start([{}, { subMs: 400 }]);
    watch(ddp);
    world.story();
    ddp.reconnect();
    await world.pass(200);
    old.serverEnds();
    await world.pass(100);
    expect(visible(ddp)).toEqual({ x: 1 });
    cluster.docs.set('x', { n: 2 });
    await world.pass(1_000);
    expect(world.story()).toEqual(['1000 dial 2', '1560 ~x 2']);
  });

  test('the new one ends before it is exact: the third one is, and nothing of the second is seen', async () => {
    cluster.put('x', { n: 1 });
    const { ddp } = await start([{}, { subMs: 400 }, { subMs: 100 }]);
    watch(ddp);
    world.story();
    ddp.reconnect();
    await world.pass(200);
    cluster.say(world.sockets[1]!, { msg: 'added', collection: 'c', id: 'half', fields: {} });
    await world.pass(50);
    world.sockets[1]!.serverEnds();
    cluster.docs.set('x', { n: 2 });
    await world.pass(1_000);
    expect([world.story().filter((line) => !line.includes('dial')), visible(ddp)]).toEqual([
      ['1475 ~x 2'],
      { x: 2 },
    ]);
  });
});

describe('subscriptions', () => {
  test('made while it moves: asked of the one in use, and of the new one; ready once', async () => {
    const { ddp, old } = await start([{}, { subMs: 400 }]);
    ddp.reconnect();
    await world.pass(50);
    const early = ddp.subscribe('early');
    void early.ready.then(() => world.say('early ready'));
    await world.pass(100);
    const late = ddp.subscribe('late');
    void late.ready.then(() => world.say('late ready'));
    await world.pass(1_000);
    expect(world.story()).toEqual(['1000 dial 2', '1090 early ready', '1590 late ready']);
    expect(sent(old)).toEqual(['connect', 'sub all', 'sub early']);
    expect(sent(world.sockets[1])).toEqual(['connect', 'sub all', 'sub early', 'sub late']);
  });

  test('stopped while it moves: the one that has it is told, and nobody asks for it again', async () => {
    const { ddp, sub, old } = await start([{}, { subMs: 400 }]);
    const other = ddp.subscribe('other');
    await world.pass(100);
    ddp.reconnect();
    await world.pass(50);
    sub.stop();
    await world.pass(100);
    other.stop();
    await world.pass(1_000);
    expect(sent(old)).toEqual(['connect', 'sub all', 'sub other', 'unsub']);
    expect(sent(world.sockets[1])).toEqual(['connect', 'sub other', 'unsub']);
    expect(old.closedWith).toBeDefined();
  });

  test('with none at all it is as quick', async () => {
    world.behaviour = cluster.node();
    const ddp = client();
    await world.pass(1_000);
    ddp.reconnect();
    await world.pass(170);
    expect([world.sockets[0]!.closedWith?.code, ddp.stats().failovers]).toEqual([1000, 1]);
  });
});

describe('pings of the server', () => {
  test('are answered where they came from, at once: while that is suspect, and while its replacement is dialled', async () => {
    const { ddp, old } = await start();
    const asked = async (id: string) => {
      cluster.say(old, { msg: 'ping', id });
      await world.pass(2 * ONE_WAY);
      return old.received.at(-1);
    };
    const answer = old.reply;
    old.reply = () => undefined;
    while (ddp.status.name !== 'suspect') await world.pass(10);
    expect(await asked('s')).toBe('{"msg":"pong","id":"s"}');
    old.reply = answer;
    await world.pass(1_000);
    ddp.reconnect();
    await world.pass(10);
    expect(await asked('d')).toBe('{"msg":"pong","id":"d"}');
    expect(ddp.stats()).toMatchObject({ suspicions: 1, hedgesCancelled: 1, failovers: 0 });
  });
});

describe('under fire', () => {
  test.each(Array.from({ length: 12 }, (_, i) => i + 1))(
    'seed %d: calls settle once, those that may run once do, the documents are exact',
    async (seed) => {
      const random = seeded(seed);
      world.behaviour = (socket) =>
        cluster.node({
          methodMs: random() * 400,
          subMs: random() * 400,
          openAfterMs: 40 + random() * 300,
          stall: () => (random() < 0.1 ? random() * 800 : 0),
        })(socket);
      const ddp = client({ env: { ...world.env, random } });
      ddp.subscribe('all');
      const settled = new Map<string, string[]>();
      let ids = 0;
      for (let step = 0; step < 120; step++) {
        await world.pass(random() * 250);
        const what = random();
        if (what < 0.5) {
          const retry = random() < 0.6;
          const id = `${retry ? 'r' : 'once'}${(ids += 1)}`;
          settled.set(id, []);
          ddp.apply('put', [id, step], { retry }).then(
            () => settled.get(id)!.push('done'),
            ({ kind }: { kind: string }) => settled.get(id)!.push(kind),
          );
        } else if (what < 0.6) ddp.reconnect();
        else if (what < 0.7) cluster.say(world.last, { msg: 'drain', afterMs: 5_000, spreadMs: 300 });
        else if (what < 0.74) world.last.serverEnds();
        else if (what < 0.78) world.sockets[Math.floor(random() * world.sockets.length)]!.serverEnds(1001);
        else if (what < 0.8) world.last.vanished = true;
      }
      await world.pass(30_000);
      const runs = (id: string) => cluster.ran.filter((run) => run.startsWith(`${id},`)).length;
      for (const [id, how] of settled) {
        expect(how, id).toHaveLength(1);
        if (id.startsWith('once') && how[0] !== 'done')
          expect([how[0], runs(id) <= 1]).toEqual(['unconfirmed', true]);
        else if (id.startsWith('once')) expect([id, runs(id)]).toEqual([id, 1]);
        else expect([id, how[0], runs(id) > 0]).toEqual([id, 'done', true]);
      }
      // Whatever ran twice, it ran first in the order of the calls.
      const first = [...new Set(cluster.ran.map((run) => Number(run.match(/\d+/)![0])))];
      expect(first).toEqual([...first].sort((a, b) => a - b));
      expect(visible(ddp)).toEqual(Object.fromEntries([...cluster.docs].map(([id, { n }]) => [id, n])));
      ddp.close();
      await world.pass(2_000);
      expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
    },
  );

  test(
    'ten minutes of stalls: nothing was down, the app saw nothing, calls settled once',
    { timeout: 60_000 },
    async () => {
      const random = seeded(7);
      for (let i = 0; i < 20; i++) cluster.put(`doc ${i}`, { n: i });
      const stall = () => (random() < 0.3 ? 300 + random() * 700 : 0);
      world.behaviour = cluster.node({ stall });
      const ddp = client({ env: { ...world.env, random } });
      ddp.on('down', () => world.say('down'));
      ddp.subscribe('all');
      await world.pass(2_000);
      watch(ddp);
      world.story();
      const settled = new Map<number, string[]>();
      for (let i = 0; i < 600; i++) {
        settled.set(i, []);
        ddp.apply('put', ['doc 0', 0], { retry: i % 2 === 0 }).then(
          () => settled.get(i)!.push('done'),
          ({ kind }: { kind: string }) => settled.get(i)!.push(kind),
        );
        await world.pass(1_000);
      }
      await world.pass(20_000);
      expect(world.story().filter((line) => !line.includes('dial'))).toEqual([]);
      for (const [i, how] of settled)
        expect([i, how]).toEqual([i, [i % 2 && how[0] === 'unconfirmed' ? 'unconfirmed' : 'done']]);
      const { suspicions, hedgesCancelled, failovers, dials } = ddp.stats();
      expect(Math.min(hedgesCancelled, failovers)).toBeGreaterThan(0);
      expect([hedgesCancelled + failovers, visible(ddp)['doc 19']]).toEqual([suspicions, 19]);
      // fast: a burst of 24, then 60 a minute.
      expect(dials).toBeLessThanOrEqual(24 + 620);
    },
  );
});
