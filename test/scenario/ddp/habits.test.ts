import { describe, expect, it, vi } from 'vitest';
import { ObjectID } from '../../../src/ddp/index.ts';
import {
  added,
  changed,
  look,
  ready,
  removed,
  result,
  state,
  tooEarly,
  updated,
  watch,
  world,
  virtualTime,
} from '../../support/ddp-harness.ts';

// What servers do that the protocol allows, or that Meteor's does all the same.
virtualTime();

describe('a server that hears nothing before it has said `connected`', () => {
  it('is told again what it refused, once, in order; from then on it is waited for', async () => {
    const { ddp, link, events } = world();
    ddp.subscribe('todos');
    const call = ddp.call('add', 1);
    const once = ddp.apply('once', [], { retry: false });
    await link.open();
    const [, sub, method, last] = link.frames;
    expect(link.sent()).toEqual(['connect 1', 'sub todos()', 'method add(1)', 'method once()']);
    link.receive(tooEarly(sub!.id), tooEarly(method!.id, 'method'), tooEarly(last!.id, 'method'));
    expect(link.sent()).toEqual([]);
    link.receive({ msg: 'connected', session: 's' });
    expect(link.frames.map(({ id }) => id)).toEqual([sub!.id, method!.id, last!.id]);
    expect(link.sent()).toEqual(['sub todos()', 'method add(1)', 'method once()']);
    for (const { id } of [method!, last!]) link.receive(result(id as string, 'ok'), updated(id as string));
    expect([await state(call), await state(once), events]).toEqual(['ok', 'ok', []]);

    link.down();
    await link.open();
    void ddp.call('more').catch(() => {});
    expect(link.sent()).toEqual(['connect 1']);
    link.receive({ msg: 'connected', session: 's' });
    expect(link.sent()).toEqual(['sub todos()', 'method more()']);
    ddp.close();
  });

  it('also the login and what hooks call leave only then, in their order', async () => {
    const { ddp, link } = world();
    const login = ddp.login({ user: 'u' });
    await link.open();
    const { id } = link.frames[1]!;
    link.receive(tooEarly(id, 'method'), { msg: 'connected', session: 's' });
    link.receive(result(id as string, { token: 't' }), updated(id as string));
    await login;
    ddp.onReconnect(() => void ddp.call('hello').catch(() => {}));
    ddp.subscribe('todos');
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    link.receive({ msg: 'connected', session: 's' });
    expect(link.sent()).toEqual(['method login({"resume":"t"})', 'method hello()', 'sub todos()']);
    ddp.close();
  });

  it('its other complaints, and any after `connected`, are events', async () => {
    const { ddp, link, events } = world();
    await link.open();
    link.receive({ msg: 'error', reason: 'Malformed message' });
    link.receive(
      { msg: 'connected', session: 's' },
      { msg: 'error', reason: 'x', offendingMessage: { id: '1' } },
    );
    expect(events).toEqual(['error server', 'error server']);
    ddp.close();
  });
});

describe('habits of a Meteor server', () => {
  it('the greeting of 2012, pings without an id, and `ready` said twice', async () => {
    const { ddp, link, events } = world();
    const sub = ddp.subscribe('todos');
    await link.open();
    const id = link.id('todos');
    link.receive(
      { server_id: '0' },
      { msg: 'connected', session: 's' },
      { msg: 'ping' },
      { msg: 'ping', id: 'p' },
    );
    link.receive(ready(id), ready(id, id), ready('never heard of'));
    expect(await state(sub.ready)).toBe(undefined);
    expect([link.sent().slice(2), events]).toEqual([['pong undefined', 'pong p'], []]);
    ddp.close();
  });

  it('`connected` long after the flight, and after what answers it', async () => {
    const { ddp, link } = world();
    const sub = ddp.subscribe('todos');
    await link.open();
    const id = link.id('todos');
    const log = watch(ddp);
    link.receive(added('a'), ready(id));
    expect([look(log), await state(sub.ready)]).toEqual(['', 'pending']);
    await vi.advanceTimersByTimeAsync(5_000);
    link.receive({ msg: 'connected', session: 's' });
    expect([look(log), await state(sub.ready)]).toEqual(['+a', undefined]);
    ddp.close();
  });

  it('documents after `ready`, and documents of two subscriptions mixed', async () => {
    const { ddp, link } = world();
    await link.connect();
    const [a, b] = [ddp.subscribe('a'), ddp.subscribe('b')];
    const [idA, idB] = [link.id('a'), link.id('b')];
    const log = watch(ddp);
    link.receive(
      added('1'),
      added('2', {}, 'd'),
      added('3'),
      ready(idB),
      added('4', {}, 'd'),
      ready(idA),
      added('5'),
    );
    expect([look(log), ddp.collection('d').size]).toEqual(['+1 +3 +5', 2]);
    expect([await state(a.ready), await state(b.ready)]).toEqual([undefined, undefined]);
    ddp.close();
  });

  it('after a failover too: the two subscriptions are one change, shown when both are ready', async () => {
    const { ddp, link } = world();
    ddp.subscribe('a');
    ddp.subscribe('b');
    await link.connect();
    const [idA, idB] = [link.id('a'), link.id('b')];
    link.receive(added('1'), added('2'), added('3'), ready(idA, idB));
    const log = watch(ddp);
    look(log);
    link.down();
    await link.connect();
    link.receive(added('4'), ready(idB), added('1', { n: 1 }), removed('4'), added('3'));
    expect(look(log)).toBe('');
    link.receive(ready(idA));
    expect(look(log)).toBe('-2 ~1');
    link.receive(changed('3', { late: true }));
    expect(look(log)).toBe('~3');
    ddp.close();
  });

  it('results out of order, `updated` before the result, for several at once', async () => {
    const { ddp, link } = world();
    await link.connect();
    const calls = [ddp.call('one'), ddp.call('two'), ddp.call('three')];
    const [one, two, three] = ['one', 'two', 'three'].map((name) => link.id(name));
    link.receive(result(three!, 3), updated(one!, three!), result(two!, 2), result(one!, 1));
    expect(await Promise.all(calls.map(state))).toEqual([1, 'pending', 3]);
    link.receive(updated(two!));
    expect(await state(calls[1]!)).toBe(2);
    ddp.close();
  });

  it('`nosub` for a subscription that we stopped, or never had', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    const sub = ddp.subscribe('todos');
    const id = link.id('todos');
    sub.stop();
    link.receive({ msg: 'nosub', id }, { msg: 'nosub', id: 'other', error: { error: 404 } });
    expect(events).toEqual([]);
    ddp.close();
  });
});

describe('types that nobody registered, and results that cannot be read', () => {
  it('MongoDB’s ids come as ObjectID and go back as they came', async () => {
    const { ddp, link } = world();
    await link.connect();
    const oid = { $type: 'oid', $value: '507f1f77bcf86cd799439011' };
    link.receive(added('x', { owner: oid }));
    const { owner } = ddp.collection<{ owner: ObjectID }>('c').get('x')!;
    expect([owner, String(owner), owner.equals(new ObjectID(oid.$value))]).toEqual([
      new ObjectID(oid.$value),
      oid.$value,
      true,
    ]);
    void ddp.call('by', owner).catch(() => {});
    expect(link.frames.at(-1)!.params).toEqual([oid]);
    const log = watch(ddp);
    look(log);
    link.receive(changed('x', { owner: oid }));
    expect(look(log)).toBe('');
    ddp.close();
  });

  it('another stays as it is on the wire: no document is lost', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    link.receive(added('x', { price: { $type: 'Decimal', $value: '1.5' } }));
    expect([ddp.collection('c').get('x'), events]).toEqual([
      { _id: 'x', price: { $type: 'Decimal', $value: '1.5' } },
      [],
    ]);
    ddp.close();
  });

  it('a call whose result cannot be read rejects, and is told of', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    const call = ddp.call('odd');
    const id = link.id('odd');
    link.receive({ msg: 'result', id, result: { $regexp: '(', $flags: '' } }, updated(id));
    expect([await state(call), events, ddp.stats().malformedFrames]).toEqual([
      '!malformed',
      ['error malformed'],
      1,
    ]);
    ddp.close();
  });

  it('one that the server finds malformed rejects with its reason', async () => {
    const { ddp, link } = world();
    await link.connect();
    const call = ddp.call('odd');
    const offendingMessage = { msg: 'method', id: link.id('odd') };
    link.receive({ msg: 'error', reason: 'Malformed method invocation', offendingMessage });
    await expect(call).rejects.toThrow('Malformed method invocation');
    ddp.close();
  });
});

describe('what servers say beside the protocol', () => {
  it('a publication to all that has failed, complaints about our pings, first objects without a name: nothing', async () => {
    const { ddp, link, events } = world();
    await link.open();
    link.receive({ hello: 'x' }, {}, { msg: 'connected', session: 's' });
    link.receive({ msg: 'nosub', error: { error: 500 } }, { msg: 'nosub' });
    link.receive({ msg: 'error', reason: 'Bad request', offendingMessage: { msg: 'ping' } });
    expect(events).toEqual([]);
    link.receive({ msg: 'error', reason: 'Bad request', offendingMessage: [] });
    expect(events).toEqual(['error server']);
    ddp.close();
  });

  it('a resume refused while the server is in trouble does not log the user out', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    void ddp.login({ user: 'u' }).catch(() => {});
    link.receive(result(link.id('login'), { token: 't' }));
    for (const error of [500, 'too-many-requests']) {
      link.down();
      await link.connect();
      link.receive({ msg: 'result', id: link.id('login'), error: { error } });
      await Promise.resolve();
    }
    link.down();
    await link.open();
    expect(link.sent()).toContain('method login({"resume":"t"})');
    expect(events.filter((event) => event === 'error handshake').length).toBeGreaterThan(0);
    ddp.close();
  });
});

describe('seeds', () => {
  const seedOf = (frame: Record<string, unknown>) => frame.randomSeed;

  it('a call that may be sent again carries one, the same on every connection', async () => {
    const { ddp, link } = world();
    await link.connect();
    void ddp.call('insert').catch(() => {});
    void ddp.call('insert').catch(() => {});
    const [one, two] = link.frames.slice(1).map(seedOf);
    expect([one, two]).toEqual([expect.stringMatching(/^0\.\d+$/), expect.stringMatching(/^0\.\d+$/)]);
    expect(one).not.toBe(two);
    link.down();
    await link.connect();
    expect(link.frames.slice(1).map(seedOf)).toEqual([one, two]);
    ddp.close();
  });

  it('one that is sent once has none, and the app’s own is taken as it is', async () => {
    const { ddp, link } = world();
    await link.connect();
    void ddp.apply('once', [], { retry: false }).catch(() => {});
    void ddp.apply('mine', [], { randomSeed: 'abc' }).catch(() => {});
    expect(link.frames.slice(1).map(seedOf)).toEqual([undefined, 'abc']);
    ddp.close();
  });
});

describe('a call that waits', () => {
  it('is sent when all before it have settled, and nothing passes it', async () => {
    const { ddp, link } = world();
    await link.connect();
    link.sent();
    const first = ddp.call('first');
    const alone = ddp.apply('alone', [], { wait: true });
    const last = ddp.call('last');
    const [firstId] = [link.id('first')];
    expect(link.sent()).toEqual(['method first()']);
    link.receive(result(firstId));
    expect(link.sent()).toEqual([]);
    link.receive(updated(firstId));
    await first;
    const aloneId = link.id('alone');
    expect(link.sent()).toEqual(['method alone()']);
    link.receive(result(aloneId, 1), updated(aloneId));
    expect(await state(alone)).toBe(1);
    expect(link.sent()).toEqual(['method last()']);
    ddp.close();
    expect(await state(last)).toBe('!closed');
  });

  it('keeps that order over a failover, and does not hold up a login', async () => {
    const { ddp, link } = world();
    await link.connect();
    const calls = [ddp.call('first'), ddp.apply('alone', [], { wait: true }), ddp.call('last')];
    void ddp.login({ user: 'u' }).catch(() => {});
    for (const call of calls) call.catch(() => {});
    link.down();
    await link.open();
    const first = link.id('first');
    expect(link.sent()).toEqual(['connect 1', 'method login({"user":"u"})', 'method first()']);
    link.receive({ msg: 'connected', session: 's' }, result(first), updated(first));
    await Promise.resolve();
    expect(link.sent()).toEqual(['method alone()']);
    ddp.close();
  });

  it('one that times out lets the others go', async () => {
    const { ddp, link } = world();
    await link.connect();
    const alone = ddp.apply('alone', [], { wait: true, timeoutMs: 1_000 });
    void ddp.call('last').catch(() => {});
    link.sent();
    alone.catch(() => {});
    await vi.advanceTimersByTimeAsync(1_000);
    expect([await state(alone), link.sent()]).toEqual(['!timeout', ['method last()']]);
    ddp.close();
  });

  it('what waits behind it is bounded like everything that waits', async () => {
    const { ddp, link } = world({ queue: { maxMessages: 2 } });
    await link.connect();
    void ddp.apply('alone', [], { wait: true }).catch(() => {});
    const rest = [1, 2, 3].map((n) => ddp.call(`n${n}`));
    for (const call of rest) call.catch(() => {});
    expect(await Promise.all(rest.map(state))).toEqual(['pending', 'pending', '!overflow']);
    ddp.close();
  });
});

describe('hostile input', () => {
  it('a frame longer than any Meteor server makes is dropped and counted, unread', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    link.receive(`{"msg":"added","collection":"c","id":"a","fields":{"x":"${'y'.repeat(2 ** 26)}"}}`);
    expect([events, ddp.collection('c').size, ddp.stats().malformedFrames]).toEqual([
      ['error malformed'],
      0,
      1,
    ]);
    ddp.close();
  });
});
