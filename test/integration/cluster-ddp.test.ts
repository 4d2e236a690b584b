import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startCluster, type Cluster } from '../../demo/cluster.ts';
import { Accounts } from '../../demo/node/accounts.ts';
import { DdpSession } from '../../demo/node/ddp.ts';
import { Mirror, type Change, type Store } from '../../demo/store/store.ts';
import { Ear, nodeUrl, until } from '../support/cluster-tools.ts';

interface Link {
  send(message: object | string): void;
  next(fits: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  close(): void;
}

let cluster: Cluster;
let gateways: { a: string; b: string };
const links: Link[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  gateways = { a: await nodeUrl(cluster, 'a'), b: await nodeUrl(cluster, 'b') };
});
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});
afterAll(() => cluster.stop());

async function raw(node: 'a' | 'b' = 'a', path = '/websocket'): Promise<Ear> {
  const ear = await new Ear(gateways[node] + path).opened();
  links.push(ear);
  return ear;
}

/** SockJS's framing around the same messages: `o`, then `a[…]` with strings in it. */
async function sockjs(node: 'a' | 'b' = 'a'): Promise<Link> {
  const ear = await new Ear(`${gateways[node]}/sockjs/123/abcdefgh/websocket`).opened();
  await until('the open frame', () => ear.heard[0] === 'o');
  const unwrapped: string[] = [];
  const link: Link = {
    send: (message) =>
      ear.send(JSON.stringify([typeof message === 'string' ? message : JSON.stringify(message)])),
    next: (fits) =>
      until(`a message that fits ${fits}`, () => {
        for (const frame of ear.heard.splice(0)) {
          if (frame.startsWith('a')) unwrapped.push(...(JSON.parse(frame.slice(1)) as string[]));
        }
        const found = unwrapped.findIndex((text) => fits(JSON.parse(text) as Record<string, unknown>));
        if (found < 0) return undefined;
        return JSON.parse(unwrapped.splice(0, found + 1)[found] as string) as Record<string, unknown>;
      }),
    close: () => ear.close(),
  };
  links.push(link);
  return link;
}

async function connected<T extends Link>(link: T): Promise<T> {
  link.send({ msg: 'connect', version: '1', support: ['1', 'pre2', 'pre1'] });
  await link.next(({ msg }) => msg === 'connected');
  await link.next(({ msg }) => msg === 'node');
  return link;
}

let lastId = 0;

/** Calls a method; resolves with result or error, and with what arrived before `updated`. */
async function call(link: Link, method: string, ...params: unknown[]): Promise<unknown> {
  const id = `m${++lastId}`;
  link.send({ msg: 'method', id, method, params });
  const { result, error } = await link.next((message) => message['msg'] === 'result' && message['id'] === id);
  await link.next(({ msg, methods }) => msg === 'updated' && (methods as string[]).includes(id));
  return error ?? result;
}

describe.each([
  ['WebSocket', () => raw()],
  ['WebSocket on a path of its own', () => raw('a', '/websocket/attempt-7')],
  ['SockJS', () => sockjs()],
] as const)('a session over %s', (_, open: () => Promise<Link>) => {
  it('greets, connects, says which node it is, answers pings and calls', async () => {
    const link = await open();
    expect(await link.next(() => true)).toEqual({ server_id: '0' });
    link.send({ msg: 'connect', version: '1', support: ['1'] });
    expect(await link.next(() => true)).toEqual({ msg: 'connected', session: expect.stringMatching(/./) });
    expect(await link.next(() => true)).toEqual({ msg: 'node', id: 'a', spreadMs: 0 });
    link.send({ msg: 'ping', id: 'x' });
    expect(await link.next(() => true)).toEqual({ msg: 'pong', id: 'x' });
    link.send({ msg: 'ping' });
    expect(await link.next(() => true)).toEqual({ msg: 'pong' });
    const value = { $type: 'oid', $value: 'f00', when: { $date: 5 }, bin: { $binary: 'AAA=' } };
    expect(await call(link, 'echo', value)).toEqual(value);
    expect(await call(link, 'whoami')).toBe('a');
  });

  it('answers wrong messages with errors and stays', async () => {
    const link = await open();
    await link.next(() => true);
    link.send({ msg: 'ping' });
    expect(await link.next(() => true)).toEqual({
      msg: 'error',
      reason: 'Must connect first',
      offendingMessage: { msg: 'ping' },
    });
    link.send('{');
    expect(await link.next(() => true)).toEqual({
      msg: 'error',
      reason: 'Parse error',
      offendingMessage: '{',
    });
    await connected(link);
    for (const [message, reason] of [
      [{ msg: 'connect', version: '1', support: ['1'] }, 'Already connected'],
      [{ no: 'msg' }, 'Bad request'],
      [null, 'Bad request'],
      [{ msg: 'what' }, 'Bad request'],
      [{ msg: 'sub', id: 1, name: 'todos' }, 'Malformed subscription'],
      [{ msg: 'unsub' }, 'Malformed unsubscription'],
      [{ msg: 'method', id: 'x', method: 'echo', params: 'y' }, 'Malformed method invocation'],
    ] as const) {
      link.send(JSON.stringify(message));
      expect(await link.next(() => true)).toEqual({ msg: 'error', reason, offendingMessage: message });
    }
    expect(await call(link, 'echo', 'still here')).toBe('still here');
  });

  it.each([
    [{ version: '2', support: ['2'] }, '1'],
    [{ version: '1', support: ['pre1', '1'] }, 'pre1'],
    [{}, '1'],
  ])('refuses connect %j proposing %s', async (connect, proposed) => {
    const link = await open();
    link.send({ msg: 'connect', ...connect });
    expect(await link.next(({ msg }) => msg === 'failed')).toEqual({ msg: 'failed', version: proposed });
  });
});

it('closes the socket after a failed connect', async () => {
  const ear = await raw();
  ear.send({ msg: 'connect', version: '9', support: ['9'] });
  await until('the end', () => ear.closed);
});

it('serves the other transports of SockJS through the gateway', async () => {
  const url = `${gateways.b}/sockjs/1/pollpoll`;
  const post = (path: string, body = ''): Promise<Response> => fetch(url + path, { method: 'POST', body });
  expect(await (await post('/xhr')).text()).toBe('o\n');
  expect(await (await post('/xhr')).text()).toBe(`a${JSON.stringify(['{"server_id":"0"}'])}\n`);
  const connect = JSON.stringify({ msg: 'connect', version: '1', support: ['1'] });
  expect((await post('/xhr_send', JSON.stringify([connect]))).status).toBe(204);
  expect(await (await post('/xhr')).text()).toContain('connected');
});

describe('methods and publications', () => {
  beforeEach(async () => {
    const link = await connected(await raw());
    link.send({ msg: 'sub', id: 'clean', name: 'todos' });
    await until('all todos', () => link.heard.some((text) => text.includes('"ready"')));
    const todos = link.heard.map((text) => JSON.parse(text) as { msg: string; id: string });
    for (const { msg, id } of todos) if (msg === 'added') await call(link, 'todos.remove', id);
    link.close();
  });

  it('sends documents before ready, in listing order, and changes before updated', async () => {
    const link = await connected(await raw());
    const ids = ['z', 'y', 'x'].map((name) => `${name}${++lastId}`);
    for (const id of ids) await call(link, 'todos.add', id, `todo ${id}`);
    link.taken();
    link.send({ msg: 'sub', id: 's1', name: 'todos', params: [] });
    await until('ready', () => link.heard.some((text) => text.includes('"ready"')));
    const messages = link.heard.map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(messages.map(({ msg }) => msg)).toEqual(['added', 'added', 'added', 'ready']);
    expect(messages[0]).toMatchObject({
      collection: 'todos',
      fields: { done: false, createdAt: { $date: expect.any(Number) } },
    });
    const times = messages
      .slice(0, 3)
      .map(({ fields, id }) => [(fields as { createdAt: { $date: number } }).createdAt.$date, id]);
    expect(times).toEqual(
      [...times].sort(([t, i], [u, j]) => Number(t) - Number(u) || (String(i) < String(j) ? -1 : 1)),
    );

    link.taken();
    link.send({ msg: 'method', id: 'done', method: 'todos.setDone', params: [ids[0], true] });
    await until('updated', () => link.heard.some((text) => text.includes('"updated"')));
    const kinds = link.heard.map((text) => (JSON.parse(text) as { msg: string }).msg);
    expect(kinds.indexOf('changed')).toBeGreaterThanOrEqual(0);
    expect(kinds.indexOf('changed')).toBeLessThan(kinds.indexOf('updated'));
    expect(link.heard.map((text) => JSON.parse(text) as object)).toContainEqual({
      msg: 'changed',
      collection: 'todos',
      id: ids[0],
      fields: { done: true },
    });
  });

  it('shows the changes of one node on the other', async () => {
    const [here, there] = [await connected(await raw('a')), await connected(await sockjs('b'))];
    for (const link of [here, there]) {
      link.send({ msg: 'sub', id: 's', name: 'todos' });
      await link.next(({ msg }) => msg === 'ready');
    }
    const id = `t${++lastId}`;
    expect(await call(here, 'todos.add', id, 'milk')).toBe(id);
    expect(await there.next(({ msg }) => msg === 'added')).toMatchObject({
      id,
      fields: { text: 'milk', done: false },
    });
    await call(there, 'todos.rename', id, 'oat milk');
    expect(await here.next(({ msg }) => msg === 'changed')).toMatchObject({
      id,
      fields: { text: 'oat milk' },
    });
    await call(there, 'todos.setDone', id, true);
    expect(await call(here, 'todos.clearDone')).toBe(1);
    expect(await there.next(({ msg }) => msg === 'removed')).toEqual({
      msg: 'removed',
      collection: 'todos',
      id,
    });
    // Sent again after the fact: it does not come back.
    expect(await call(there, 'todos.add', id, 'milk')).toBe(id);
    expect(await call(there, 'todos.setDone', id, true)).toBe(0);
    expect(await call(here, 'count', 'shared')).toBe(1);
    expect(await call(there, 'count', 'shared')).toBe(2);
  });

  it('handles messages in order, pings out of order', async () => {
    const link = await connected(await raw());
    link.send({ msg: 'method', id: 'one', method: 'slow', params: [60, 1] });
    link.send({ msg: 'method', id: 'two', method: 'echo', params: [2] });
    link.send({ msg: 'ping', id: 'p' });
    await until('both results', () => link.heard.filter((text) => text.includes('"result"')).length === 2);
    const order = link.heard.map((text) => JSON.parse(text) as { msg: string; id?: string });
    expect(order.filter(({ msg }) => msg !== 'updated').map(({ id }) => id)).toEqual(['p', 'one', 'two']);
  });

  it('merges subscriptions: a document is added once and removed with the last', async () => {
    const link = await connected(await raw());
    link.send({ msg: 'sub', id: 'n3', name: 'numbers', params: [3] });
    link.send({ msg: 'sub', id: 'n3', name: 'numbers', params: [3] });
    link.send({ msg: 'sub', id: 'n4', name: 'numbers', params: [4] });
    link.send({ msg: 'unsub', id: 'n4' });
    link.send({ msg: 'unsub', id: 'n3' });
    await until('both ended', () => link.heard.filter((text) => text.includes('"nosub"')).length === 2);
    const told = link.heard.map((text) => JSON.parse(text) as { msg: string; id?: string; subs?: string[] });
    expect(told.map(({ msg, id, subs }) => `${msg} ${id ?? subs}`)).toEqual([
      'added 0',
      'added 1',
      'added 2',
      'ready n3',
      'added 3',
      'ready n4',
      'removed 3',
      'nosub n4',
      'removed 0',
      'removed 1',
      'removed 2',
      'nosub n3',
    ]);
  });

  it('answers what cannot be with errors', async () => {
    const link = await connected(await raw());
    for (const [method, params, error, part] of [
      ['nope', [], 404, "Method 'nope' not found"],
      ['todos.add', ['id', ''], 400, 'text must be a string of 1 to 1000 characters, not ""'],
      ['todos.add', ['id', '  '], 400, 'text must be'],
      ['todos.add', [7, 'x'], 400, '_id must be a string of 1 to 100 characters, not 7'],
      ['todos.setDone', ['id', 'yes'], 400, 'done must be a boolean, not "yes"'],
      ['todos.rename', ['id'], 400, 'text must be'],
      ['todos.remove', [], 400, '_id must be'],
      ['slow', [-1], 400, 'ms must be'],
      ['count', [{}], 400, 'key must be'],
      ['fail', [418, 'teapot'], 418, 'teapot'],
      ['fail', ['own-code', 'because'], 'own-code', 'because'],
      ['__proto__', [], 404, 'not found'],
    ] as const) {
      const answer = await call(link, method, ...params);
      expect(answer).toMatchObject({
        error,
        reason: expect.stringContaining(part),
        errorType: 'Meteor.Error',
      });
    }
    for (const [name, params, error] of [
      ['nope', [], 404],
      ['numbers', ['many'], 400],
    ] as const) {
      link.send({ msg: 'sub', id: name, name, params });
      expect(await link.next(({ msg }) => msg === 'nosub')).toMatchObject({ id: name, error: { error } });
    }
    link.send({ msg: 'unsub', id: 'never was' });
    expect(await link.next(({ msg }) => msg === 'nosub')).toEqual({ msg: 'nosub', id: 'never was' });
  });
});

describe('a session by itself', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function session() {
    const sent: Record<string, unknown>[] = [];
    const mirror = new Mirror();
    const peer = {
      closed: 0,
      send: (text: string) => void sent.push(JSON.parse(text) as Record<string, unknown>),
      close: () => void peer.closed++,
    };
    const store = {
      todos: mirror.todos,
      onChange: (listener: (change: Change) => void) => mirror.onChange(listener),
    } as unknown as Store;
    const ddp = new DdpSession(peer, { store, nodeId: 'a', accounts: new Accounts('key'), greet: () => {} });
    ddp.receive(JSON.stringify({ msg: 'connect', version: '1', support: ['1'] }));
    sent.length = 0;
    return { ddp, sent, peer, mirror };
  }

  it('pings after 15 s of silence and drops the client 15 s later', () => {
    const { ddp, sent, peer } = session();
    vi.advanceTimersByTime(14_999);
    ddp.receive(JSON.stringify({ msg: 'pong' }));
    vi.advanceTimersByTime(14_999);
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(sent).toEqual([{ msg: 'ping' }]);
    vi.advanceTimersByTime(14_999);
    expect(peer.closed).toBe(0);
    vi.advanceTimersByTime(1);
    expect(peer.closed).toBe(1);
    ddp.closed();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stays as long as pings are answered', () => {
    const { ddp, sent, peer } = session();
    for (let round = 1; round <= 3; round++) {
      vi.advanceTimersByTime(15_000);
      expect(sent).toHaveLength(round);
      ddp.receive(JSON.stringify({ msg: 'pong' }));
    }
    expect(peer.closed).toBe(0);
    ddp.closed();
  });

  it('is silent once it is closed, whatever still runs', async () => {
    const { ddp, sent, mirror } = session();
    ddp.receive(JSON.stringify({ msg: 'sub', id: 's', name: 'todos' }));
    ddp.receive(JSON.stringify({ msg: 'method', id: 'm', method: 'slow', params: [1000, 1] }));
    ddp.receive(JSON.stringify({ msg: 'method', id: 'n', method: 'echo', params: [1] }));
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toEqual([{ msg: 'ready', subs: ['s'] }]);
    ddp.closed();
    mirror.apply([{ id: 'x', todo: { text: 'x', done: false, createdAt: { $date: 1 } } }]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(sent).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
