import { describe, expect, it, vi } from 'vitest';
import { DDPClient, DDPError } from '../../../src/ddp/index.ts';
import {
  added,
  failed,
  FakeLink,
  ready,
  result,
  state,
  updated,
  world,
  virtualTime,
} from '../../support/ddp-harness.ts';

virtualTime();

describe('one flight', () => {
  it('sends everything at once on the first connection, in order', async () => {
    const { ddp, link } = world();
    void ddp.call('early').catch(() => {});
    ddp.subscribe('todos', { done: false }, 5);
    const late = ddp.call('late', new Date(1));
    await link.open();
    expect(link.sent()).toEqual([
      'connect 1',
      'sub todos({"done":false},5)',
      'method early()',
      'method late({"$date":1})',
    ]);
    ddp.close();
    expect(await state(late)).toBe('!closed');
  });

  it('login, hooks, subscriptions, calls: in this order, the ids unchanged', async () => {
    const { ddp, link } = world();
    const hooked: string[] = [];
    ddp.onReconnect(() => {
      hooked.push('hook');
      void ddp.call('hello').catch(() => {});
    });
    const login = ddp.login({ user: 'u', password: 'p' });
    ddp.subscribe('todos');
    const call = ddp.call('slow');
    await link.connect();
    expect(hooked).toEqual([]);
    const ids = link.frames.map(({ id }) => id);
    expect(link.sent()).toEqual([
      'connect 1',
      'method login({"user":"u","password":"p"})',
      'sub todos()',
      'method slow()',
    ]);
    link.receive(
      result(ids[1] as string, { id: 'u', token: 't' }),
      updated(ids[1] as string),
      ready(ids[2] as string),
    );
    expect(await state(login)).toEqual({ id: 'u', token: 't' });

    link.down();
    await link.open();
    expect(link.frames[3]!.id).toBe(ids[2]);
    expect(link.frames[4]!.id).toBe(ids[3]);
    expect(link.sent()).toEqual([
      'connect 1',
      'method login({"resume":"t"})',
      'method hello()',
      'sub todos()',
      'method slow()',
    ]);
    expect(hooked).toEqual(['hook']);
    ddp.close();
    expect(await state(call)).toBe('!closed');
  });

  it('runs the app’s own handshake before connect', async () => {
    const { link, ddp } = world({ handshake: async (send) => send('{"msg":"auth"}') });
    await link.open();
    expect(link.frames.map(({ msg }) => msg)).toEqual(['auth', 'connect']);
    ddp.close();
  });

  it('a hook that throws harms nothing, and can be taken back', async () => {
    const { ddp, link, reported } = world();
    const off = ddp.onReconnect(() => {
      throw new Error('mine');
    });
    ddp.subscribe('todos');
    await link.open();
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'sub todos()']);
    expect(reported).toHaveLength(1);
    off();
    await link.open();
    expect(reported).toHaveLength(1);
    ddp.close();
  });
});

describe('what leaves', () => {
  it('holds nothing but what DDP names', async () => {
    const { ddp, link } = world();
    await link.connect();
    ddp.subscribe('todos', 1).stop();
    ddp.subscribe('bare');
    void ddp.call('add', 'x').catch(() => {});
    void ddp.apply('once', undefined, { retry: false, wait: false, timeoutMs: 5 }).catch(() => {});
    link.receive({ msg: 'ping', id: 'p', extra: 1 }, { msg: 'ping' });
    expect(link.frames).toEqual([
      { msg: 'connect', version: '1', support: ['1', 'pre2', 'pre1'] },
      { msg: 'sub', id: '1', name: 'todos', params: [1] },
      { msg: 'unsub', id: '1' },
      { msg: 'sub', id: '2', name: 'bare', params: [] },
      { msg: 'method', id: '3', method: 'add', params: ['x'], randomSeed: expect.any(String) as string },
      { msg: 'method', id: '4', method: 'once', params: [] },
      { msg: 'pong', id: 'p' },
      { msg: 'pong' },
    ]);
    ddp.close();
  });

  it('has ids that are given once: to subscriptions, calls and logins, over all connections', async () => {
    const { ddp, link } = world();
    const given: unknown[] = [];
    for (let connection = 0; connection < 3; connection++) {
      const login = ddp.login({ connection }).catch(() => {});
      ddp.subscribe('todos', connection);
      void ddp.apply('once', [], { retry: false }).catch(() => {});
      await link.connect();
      const ids = link.frames.slice(1).map(({ id }) => id as string);
      given.push(...ids.filter((id) => !given.includes(id)));
      expect(new Set(ids).size).toBe(ids.length);
      for (const { method, id } of [...link.frames])
        if (method === 'login') link.receive(result(id as string, { token: 't' }), updated(id as string));
      link.receive(ready(...ids));
      await login;
      link.down();
    }
    // Three logins, two of them resumed, three subscriptions, three calls: what is sent again keeps its id, nothing else has it.
    expect(given).toHaveLength(11);
    ddp.close();
  });
});

describe('while suspect', () => {
  it('holds everything back and sends it once, when the old connection answers', async () => {
    const { ddp, link } = world();
    await link.connect();
    const old = ddp.subscribe('old');
    link.sent();
    link.suspect();
    const sub = ddp.subscribe('todos');
    ddp.subscribe('gone').stop();
    old.stop();
    const call = ddp.call('m');
    expect(link.sent()).toEqual([]);
    link.recover();
    const id = link.id('m');
    expect(link.sent()).toEqual(['unsub 1', 'sub todos()', 'method m()']);
    link.receive(result(id, 1), updated(id), ready('2'));
    expect(await state(call)).toBe(1);
    expect(await state(sub.ready)).toBeUndefined();
    link.recover();
    expect(link.sent()).toEqual([]);
    ddp.close();
  });

  it('or when the replacement is up, which never hears of what was stopped', async () => {
    const { ddp, link } = world();
    await link.connect();
    const old = ddp.subscribe('old');
    link.suspect();
    old.stop();
    ddp.subscribe('todos');
    const call = ddp.call('m');
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'sub todos()', 'method m()']);
    ddp.close();
    expect(await state(call)).toBe('!closed');
  });

  it('a listener that calls while the replacement takes over does not have its call sent twice', async () => {
    const { ddp, link } = world();
    await link.connect();
    let call: Promise<unknown> | undefined;
    ddp.on('attempt', () => (call = ddp.call('m')));
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'method m()']);
    ddp.close();
    expect(await state(call!)).toBe('!closed');
  });
});

describe('versions', () => {
  it('offers what the server wants, once', async () => {
    const { ddp, link, events } = world();
    const sub = ddp.subscribe('todos');
    await link.open();
    expect(link.frames[0]).toEqual({ msg: 'connect', version: '1', support: ['1', 'pre2', 'pre1'] });
    link.receive({ msg: 'failed', version: 'pre1' });
    expect(link.log).toEqual(['reconnect']);
    link.down();
    await link.connect();
    expect(link.sent()).toEqual(['connect pre1', 'sub todos()']);
    // It stays with what was understood, and the next refusal is a new negotiation.
    link.down();
    await link.open();
    expect(link.sent()[0]).toBe('connect pre1');
    link.receive({ msg: 'failed', version: '1' });
    link.down();
    await link.open();
    expect(link.sent()[0]).toBe('connect 1');
    expect(events).toEqual([]);
    ddp.close();
    expect(await state(sub.ready)).toBe('!closed');
  });

  it('a refusal after `connected` is of no meaning', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    link.receive({ msg: 'failed', version: 'pre1' }, { msg: 'failed', version: '9' });
    expect([link.log, events]).toEqual([[], []]);
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it.each([
    ['a version nobody knows', ['9']],
    ['the version it was offered', ['1']],
    ['one after the other in a circle', ['pre1', '1']],
  ])('gives up when the server wants %s', async (_name, wanted) => {
    const { ddp, link, events } = world();
    const call = ddp.call('m');
    for (const version of wanted) {
      await link.open();
      link.receive({ msg: 'failed', version });
    }
    expect(events).toEqual(['error handshake']);
    expect(link.log.at(-1)).toBe('close');
    expect(await state(call)).toBe('!handshake');
    expect(await state(ddp.call('m'))).toBe('!handshake');
  });
});

describe('pings', () => {
  it('answers the server’s at once, with its id', async () => {
    const { ddp, link } = world();
    await link.connect();
    link.sent();
    link.receive({ msg: 'ping' }, { msg: 'ping', id: '7' });
    expect(link.frames).toEqual([{ msg: 'pong' }, { msg: 'pong', id: '7' }]);
    ddp.close();
  });

  it('gives the link its own heartbeat, unless the app has another', () => {
    const { heartbeat, serverNotices } = world().link.options;
    expect(heartbeat).toMatchObject({ message: '{"msg":"ping"}' });
    expect((heartbeat as { isReply(data: unknown): boolean }).isReply('{"msg":"pong"}')).toBe(true);
    expect(serverNotices).toBe(true);
    const own = world({ heartbeat: false, serverNotices: false }).link.options;
    expect([own.heartbeat, own.serverNotices]).toEqual([false, false]);
  });
});

describe('login', () => {
  const loggedIn = async () => {
    const all = world();
    const login = all.ddp.login({ user: 'u' });
    await all.link.connect();
    const id = all.link.id('login');
    all.link.receive(result(id, { token: 't' }), updated(id));
    expect(await state(login)).toEqual({ token: 't' });
    all.link.down();
    return all;
  };

  it('takes the token the server gives next', async () => {
    const { ddp, link } = await loggedIn();
    await link.connect();
    const id = link.id('login');
    link.receive(result(id, { token: 't2' }), updated(id));
    link.down();
    await link.open();
    expect(link.sent()).toContain('method login({"resume":"t2"})');
    ddp.close();
  });

  it('a refused token is told once and forgotten, not tried for ever', async () => {
    const { ddp, link, events } = await loggedIn();
    await link.connect();
    link.receive(failed(link.id('login'), { error: 403, reason: 'expired' }));
    await vi.advanceTimersByTimeAsync(0);
    expect(events).toEqual(['error handshake']);
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it('a token without an answer is told, and kept', async () => {
    const { ddp, link, events } = await loggedIn();
    await link.connect();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(events).toEqual(['warning quiescence', 'error handshake']);
    await link.open();
    expect(link.sent()).toContain('method login({"resume":"t"})');
    ddp.close();
  });

  it('a resume lost with its connection is no error: the next connection resumes anew', async () => {
    const { ddp, link, events } = await loggedIn();
    await link.connect();
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'method login({"resume":"t"})']);
    await vi.advanceTimersByTimeAsync(0);
    expect(events).toEqual([]);
    ddp.close();
  });

  it('a login waiting for its answer goes after the token: refused, it ends no session', async () => {
    const { ddp, link } = await loggedIn();
    ddp.subscribe('todos');
    const login = ddp.login({ user: 'other' });
    await link.open();
    expect(link.sent()).toEqual([
      'connect 1',
      'method login({"resume":"t"})',
      'method login({"user":"other"})',
      'sub todos()',
    ]);
    ddp.close();
    expect(await state(login)).toBe('!closed');
  });

  it('a token is known as soon as the result is there, even if its connection ends right then', async () => {
    const { ddp, link } = world();
    const login = ddp.login({ user: 'u' });
    await link.connect();
    link.receive(result(link.id('login'), { token: 't' }));
    link.down();
    await link.connect();
    const id = link.id('login');
    expect(link.sent()).toContain('method login({"resume":"t"})');
    expect(await state(login)).toBe('pending');
    link.receive(result(id, { token: 't' }), updated(id));
    expect(await state(login)).toEqual({ token: 't' });
    ddp.close();
  });

  it('a refused login rejects, and leaves nothing to resume', async () => {
    const { ddp, link } = world();
    const login = ddp.login({ user: 'u' });
    await link.connect();
    link.receive(failed(link.id('login'), { error: 403 }));
    expect(await state(login)).toBe('!server');
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it('nothing is resumed after logout, nor without a token', async () => {
    const { ddp, link } = await loggedIn();
    await link.connect();
    const logout = ddp.logout();
    const [call] = link.frames.splice(0).slice(-1);
    expect(call).toMatchObject({ method: 'logout' });
    const id = call!.id as string;
    link.receive(result(id), updated(id), { msg: 'result', id: '2', result: { token: 't3' } });
    expect(await state(logout)).toBeUndefined();
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    const odd = ddp.login({});
    const oddId = link.id('login');
    link.receive({ msg: 'connected' }, result(oddId, null), updated(oddId));
    expect(await state(odd)).toBeNull();
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });
});

describe('events', () => {
  it('malformed and unknown frames are counted and told, and the connection goes on', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    link.receive(
      '{',
      { msg: 'novel' },
      { msg: 'changed', collection: 5, id: 'x' },
      { msg: 'error', reason: 'r' },
    );
    expect(events).toEqual(['error malformed', 'warning notice', 'error malformed', 'error server']);
    expect(ddp.stats()).toEqual({ dials: 1, opens: 1, malformedFrames: 2, unknownMessages: 1 });
    link.receive(added('x'));
    expect(ddp.collection('c').size).toBe(1);
    expect(link.log).toEqual([]);
    ddp.close();
  });

  it('forwards the link’s, and keeps throwing listeners apart', async () => {
    const { ddp, link, reported } = world();
    const log: string[] = [];
    const note = (name: string) => () => void log.push(name);
    const offed = note('off');
    ddp.on('down', note('down')).once('down', note('down once'));
    ddp.on('error', () => {
      throw new Error('mine');
    });
    ddp.on('error', note('error')).once('error', note('error once'));
    ddp.on('error', offed).off('error', offed).on('down', offed).off('down', offed);
    ddp.once('warning', offed).off('warning', offed).on('warning', note('warning'));
    link.emit('warning', { kind: 'callback', message: '' });
    await link.connect();
    link.receive('{', '{');
    expect(log.splice(0)).toEqual(['warning', 'error', 'error once', 'error']);
    expect(reported).toHaveLength(2);
    link.down();
    await link.open();
    link.down();
    expect(log).toEqual(['down', 'down once', 'down']);
    expect(ddp.status).toBe(link.status);
    ddp.reconnect();
    expect(link.log).toEqual(['reconnect']);
    ddp.close();
  });
});

describe('the end', () => {
  it('close() settles everything that waits, and whatever is asked later', async () => {
    const { ddp, link } = world();
    const waiting = [ddp.call('m'), ddp.subscribe('s').ready, ddp.login({})];
    await link.connect();
    link.receive(added('x'));
    ddp.close();
    ddp.close();
    const late = ddp.subscribe('late');
    waiting.push(ddp.call('m'), late.ready, ddp.login({}), ddp.logout());
    expect(await Promise.all(waiting.map(state))).toEqual(waiting.map(() => '!closed'));
    expect(late.active).toBe(false);
    late.stop();
    expect(ddp.collection('c').size).toBe(1);
    link.receive(added('y'));
    expect(ddp.collection('c').size).toBe(1);
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
  });

  it('so does a link that ends below', async () => {
    const { ddp, link } = world();
    const call = ddp.call('m');
    link.end();
    expect(await state(call)).toBe('!closed');
  });

  it('or that gives up, with its reason', async () => {
    const { ddp, link } = world();
    const call = ddp.call('m');
    link.emit('giveup', new DDPError({ error: 1 }));
    link.end();
    expect(await state(call)).toBe('!server');
  });
});

describe('options', () => {
  it.each([
    ['quiescenceTimeoutMs', 0],
    ['quiescenceTimeoutMs', Infinity],
    ['quiescenceTimeoutMs', NaN],
    ['callTimeoutMs', -1],
    ['callTimeoutMs', '5'],
    ['callTimeoutMs', 2 ** 31],
    ['hedge', 'yes'],
  ])('%s: %s is refused', (name, value) => {
    expect(() => world({ [name]: value })).toThrow(RangeError);
    expect(() => world({ [name]: value })).toThrow(new RegExp(`^options\\.${name}: .* got "?${value}`));
  });

  it('are not passed on to the link, which knows them not', () => {
    const { options } = world({
      quiescenceTimeoutMs: 5,
      callTimeoutMs: Infinity,
      policy: 'fast',
      events: 'per-connection',
    }).link;
    // `close` for every lost connection would end the client.
    expect(options).toMatchObject({ policy: 'fast', events: 'link' });
    expect(options).not.toHaveProperty('quiescenceTimeoutMs');
    expect(options).not.toHaveProperty('callTimeoutMs');
  });

  it('a bad URL throws as WebSocket does', () => {
    class None {}
    const env = { WebSocket: None as never };
    expect(() => new DDPClient('http://[', { env })).toThrow(
      expect.objectContaining({ name: 'SyntaxError' }),
    );
    expect(FakeLink).toBeDefined();
  });
});
