import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listen } from '../../demo/net/ports.ts';
import { Child } from '../../demo/processes/child.ts';
import { listTodos, Mirror, type Change, type Store, type Todo } from '../../demo/store/store.ts';
import { connectRedisStore } from '../../demo/store/redis.ts';
import { connectEmbeddedStore } from '../../demo/store/embedded.ts';
import { startCluster } from '../../demo/cluster.ts';
import { Ear, nodeUrl, until } from '../support/cluster-tools.ts';

const hasRedis = (() => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
// Where everything is expected to be installed, its absence is a failure and not a reason to skip.
const withRedis = describe.skipIf(!hasRedis && process.env['CI'] !== 'true');

const todo = (text: string, at: number): Todo => ({ text, done: false, createdAt: { $date: at } });

/** What every store does, seen by two nodes. */
function behavesAsStore(connect: () => Promise<Store>): void {
  let here: Store;
  let there: Store;
  let changes: Change[];

  beforeEach(async () => {
    [here, there] = await Promise.all([connect(), connect()]);
    await here.clear();
    await until('both are empty', () => there.todos.size === 0);
    changes = [];
    there.onChange((change) => changes.push(change));
  });
  afterEach(() => Promise.all([here.close(), there.close()]));

  it('shows a write here when it resolves, and soon there', async () => {
    expect(await here.write({ op: 'add', id: 'x', text: 'a "quoted" / ünïcode', at: 7 })).toBe(1);
    expect([...here.todos]).toEqual([['x', todo('a "quoted" / ünïcode', 7)]]);
    await until('it is there', () => there.todos.has('x'));
    expect([...there.todos]).toEqual([...here.todos]);
    expect(await there.write({ op: 'setDone', id: 'x', done: true })).toBe(1);
    expect(await there.write({ op: 'rename', id: 'x', text: 'new / "name"' })).toBe(1);
    const renamed = { text: 'new / "name"', done: true, createdAt: { $date: 7 } };
    expect(there.todos.get('x')).toEqual(renamed);
    await until('it is here', () => here.todos.get('x')?.text === renamed.text);
    expect(here.todos.get('x')).toEqual(renamed);
    expect(changes.map(({ id, todo: now }) => [id, now?.text, now?.done])).toEqual([
      ['x', 'a "quoted" / ünïcode', false],
      ['x', 'a "quoted" / ünïcode', true],
      ['x', 'new / "name"', true],
    ]);
  });

  it('changes nothing, and says so to nobody, when a call comes twice', async () => {
    const add = { op: 'add', id: 'x', text: 'once', at: 1 } as const;
    expect(await here.write(add)).toBe(1);
    expect(await there.write({ ...add, text: 'twice', at: 2 })).toBe(0);
    expect(await here.write({ op: 'setDone', id: 'x', done: false })).toBe(0);
    expect(await here.write({ op: 'rename', id: 'x', text: 'once' })).toBe(0);
    expect(await here.write({ op: 'remove', id: 'x' })).toBe(1);
    expect(await here.write({ op: 'remove', id: 'x' })).toBe(0);
    expect(await there.write(add)).toBe(0);
    expect(await there.write({ op: 'setDone', id: 'x', done: true })).toBe(0);
    expect(await there.write({ op: 'rename', id: 'x', text: 'back' })).toBe(0);
    expect(there.todos.size).toBe(0);
    expect(changes.map(({ id, todo: now }) => [id, now?.text])).toEqual([
      ['x', 'once'],
      ['x', undefined],
    ]);
  });

  it('clears what is done, and lets none of it come back', async () => {
    for (const id of ['x', 'y', 'z']) await here.write({ op: 'add', id, text: id, at: 1 });
    for (const id of ['x', 'z']) await here.write({ op: 'setDone', id, done: true });
    expect(await here.write({ op: 'clearDone' })).toBe(2);
    expect([...here.todos.keys()]).toEqual(['y']);
    expect(await here.write({ op: 'add', id: 'x', text: 'x', at: 1 })).toBe(0);
  });

  it('counts together', async () => {
    const values = await Promise.all([here, there, here, there].map((store) => store.increment('key')));
    expect(values.sort()).toEqual([1, 2, 3, 4]);
    expect(await here.increment('other')).toBe(1);
  });

  it('forgets everything on clear, removed ids and counters too', async () => {
    await here.write({ op: 'add', id: 'x', text: 'x', at: 1 });
    await here.write({ op: 'remove', id: 'x' });
    await here.write({ op: 'add', id: 'y', text: 'y', at: 1 });
    await here.increment('key');
    await here.clear();
    expect(here.todos.size).toBe(0);
    expect(await here.increment('key')).toBe(1);
    expect(await here.write({ op: 'add', id: 'x', text: 'x', at: 1 })).toBe(1);
  });

  it('loads what is there, and calls back no more after the unsubscribe', async () => {
    await here.write({ op: 'add', id: 'x', text: 'x', at: 1 });
    const late = await connect();
    expect([...late.todos.keys()]).toEqual(['x']);
    const heard: Change[] = [];
    const stop = late.onChange((change) => heard.push(change));
    await late.write({ op: 'setDone', id: 'x', done: true });
    stop();
    await late.write({ op: 'remove', id: 'x' });
    expect(heard).toHaveLength(1);
    await late.close();
  });
}

describe('the embedded store', () => {
  let child: Child;
  let port: number;
  beforeAll(async () => {
    child = await Child.start('store', 'store');
    port = await child.call<number>('start');
  });
  afterAll(() => child.end());

  behavesAsStore(() => connectEmbeddedStore(port, () => {}));

  it('tells when it is lost, and rejects where there is none', async () => {
    const own = await Child.start('store', 'store');
    const ownPort = await own.call<number>('start');
    let lost = false;
    await connectEmbeddedStore(ownPort, () => (lost = true));
    await own.end();
    await until('the loss is told', () => lost);
    await expect(connectEmbeddedStore(ownPort, () => {})).rejects.toThrow('ECONNREFUSED');
  });
});

withRedis('the store in Redis', () => {
  let server: ChildProcess;
  let url: string;
  beforeAll(async () => {
    const probe = createServer();
    const port = await listen(probe, 0);
    await new Promise((resolve) => probe.close(resolve));
    url = `redis://127.0.0.1:${port}`;
    server = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      {
        stdio: 'ignore',
      },
    );
    await until('Redis answers', async () => {
      try {
        await (await connectRedisStore(url)).close();
        return true;
      } catch {
        return undefined;
      }
    });
  });
  afterAll(async () => {
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await gone;
  });

  behavesAsStore(() => connectRedisStore(url));

  it('loads what it missed while its feed was cut', async () => {
    const [here, there] = [await connectRedisStore(url), await connectRedisStore(url)];
    await here.clear();
    const changes: Change[] = [];
    there.onChange((change) => changes.push(change));
    const redisPort = new URL(url).port;
    for (let i = 0; i < 5; i++) {
      execFileSync('redis-cli', ['-p', redisPort, 'client', 'kill', 'type', 'pubsub'], { stdio: 'ignore' });
      await here.write({ op: 'add', id: `x${i}`, text: 'x', at: i });
    }
    await until('all are there', () => there.todos.size === 5);
    expect(changes.map(({ id }) => id).sort()).toEqual(['x0', 'x1', 'x2', 'x3', 'x4']);
    await Promise.all([here.close(), there.close()]);
  });

  it('carries a cluster: a todo added on one node shows on the other', async () => {
    const cluster = await startCluster({ redisUrl: url });
    try {
      const [a, b] = await Promise.all(
        (['a', 'b'] as const).map(async (id) => {
          const ear = await new Ear(`${await nodeUrl(cluster, id)}/websocket`).opened();
          ear.send({ msg: 'connect', version: '1', support: ['1'] });
          ear.send({ msg: 'sub', id: 's', name: 'todos' });
          await ear.next(({ msg }) => msg === 'ready');
          return ear;
        }),
      );
      a?.send({ msg: 'method', id: 'm', method: 'todos.add', params: ['shared', 'in Redis'] });
      expect(await b?.next(({ msg }) => msg === 'added')).toMatchObject({
        id: 'shared',
        fields: { text: 'in Redis' },
      });
      await cluster.reset();
      const fresh = await new Ear(`${await nodeUrl(cluster, 'b')}/websocket`).opened();
      fresh.send({ msg: 'connect', version: '1', support: ['1'] });
      fresh.send({ msg: 'sub', id: 's', name: 'todos' });
      await fresh.next(
        ({ msg, server_id }) =>
          msg !== 'connected' && msg !== 'node' && server_id === undefined && msg === 'ready',
      );
      expect(fresh.heard.some((text) => text.includes('"added"'))).toBe(false);
      for (const ear of [a, b, fresh]) ear?.close();
    } finally {
      await cluster.stop();
    }
  });

  it('is named, without its password, when it cannot be reached', async () => {
    await expect(
      startCluster({ redisUrl: 'redis://user:secret@127.0.0.1:1', quiet: true }),
    ).rejects.toMatchObject({
      kind: 'start',
      message: expect.stringMatching(/^Cannot reach Redis at 127\.0\.0\.1:1: (?!.*secret)/),
    });
  });
});

describe('the mirror', () => {
  it('takes over a whole state telling only what differs', () => {
    const mirror = new Mirror();
    mirror.apply(['same', 'other', 'gone'].map((id, i) => ({ id, todo: todo(id, i) })));
    const told: Change[] = [];
    mirror.onChange((change) => told.push(change));
    mirror.replace([
      ['same', todo('same', 0)],
      ['other', todo('changed', 1)],
      ['new', todo('new', 3)],
    ]);
    expect(told.map(({ id, todo: now }) => [id, now?.text])).toEqual([
      ['gone', undefined],
      ['other', 'changed'],
      ['new', 'new'],
    ]);
  });

  it('lists by age, then by id', () => {
    const todos = new Map([
      ['b', todo('', 1)],
      ['a', todo('', 1)],
      ['c', todo('', 0)],
    ]);
    expect(listTodos(todos).map(([id]) => id)).toEqual(['c', 'a', 'b']);
  });
});
