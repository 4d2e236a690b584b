import { describe, expect, it, vi } from 'vitest';
import {
  added,
  changed,
  look,
  ready,
  removed,
  state,
  updated,
  result,
  watch,
  world,
  type World,
  virtualTime,
} from '../../support/ddp-harness.ts';

virtualTime();

describe('a collection', () => {
  const opened = async (): Promise<World> => {
    const all = world();
    await all.link.connect();
    return all;
  };

  it('follows added, changed and removed, field by field', async () => {
    const { ddp, link } = await opened();
    const todos = ddp.collection<{ text: string; done?: boolean; at?: Date; tags?: string[] }>('c');
    link.receive(added('x', { text: 'a', done: false, at: { $date: 5 }, tags: ['t'] }));
    expect(todos.get('x')).toEqual({ _id: 'x', text: 'a', done: false, at: new Date(5), tags: ['t'] });
    const { tags } = todos.get('x')!;
    link.receive(changed('x', { text: 'b' }, ['done', 'never']));
    expect(todos.get('x')).toEqual({ _id: 'x', text: 'b', at: new Date(5), tags: ['t'] });
    expect(todos.get('x')!.tags).toBe(tags);
    expect([todos.size, todos.name]).toEqual([1, 'c']);
    link.receive(removed('x'));
    expect([todos.size, todos.get('x'), todos.find()]).toEqual([0, undefined, []]);
    expect(ddp.collection('c')).toBe(todos);
    ddp.close();
  });

  it('documents are frozen all the way down, and nothing the server says changes an _id', async () => {
    const { ddp, link } = await opened();
    link.receive(added('x', { _id: 'other', deep: [{ a: {} }] }));
    expect(ddp.collection('c').get('x')!._id).toBe('x');
    link.receive(changed('x', { more: {}, _id: 'y' }));
    expect(ddp.collection('c').get('x')!._id).toBe('x');
    link.receive(changed('x', {}, ['_id']));
    const doc = ddp.collection<{ deep: [{ a: object }]; more: object }>('c').get('x')!;
    expect(doc._id).toBe('x');
    expect([doc, doc.deep, doc.deep[0], doc.deep[0].a, doc.more].every(Object.isFrozen)).toBe(true);
    ddp.close();
  });

  it('find: one frozen array until something changes; with a filter, until its members do', async () => {
    const { ddp, link } = await opened();
    const todos = ddp.collection<{ done: boolean }>('c');
    link.receive(added('a', { done: true }), added('b', { done: false }));
    const all = todos.find();
    let wanted = true;
    const filter = (doc: { done: boolean }) => doc.done === wanted;
    const done = todos.find(filter);
    expect(all.map(({ _id }) => _id)).toEqual(['a', 'b']);
    expect(done.map(({ _id }) => _id)).toEqual(['a']);
    expect([all, done].every(Object.isFrozen)).toBe(true);
    expect([todos.find(), todos.find(filter)]).toEqual([all, done]);
    expect(todos.find()).toBe(all);
    expect(todos.find(filter)).toBe(done);
    link.receive(changed('b', { other: 1 }));
    expect(todos.find()).not.toBe(all);
    expect(todos.find(filter)).toBe(done);
    // A filter that looks at more than the document is asked again.
    wanted = false;
    expect(todos.find(filter).map(({ _id }) => _id)).toEqual(['b']);
    link.receive(changed('b', { other: 2 }));
    expect(todos.find(filter)[0]).toBe(todos.get('b'));
    ddp.close();
  });

  it('ids that are no text are found by their value', async () => {
    const { ddp, link } = await opened();
    const docs = ddp.collection('c');
    link.receive(added('~5', { n: 1 }), added('-~5', { n: 2 }), added('5', { n: 3 }));
    expect([5, '~5', '5'].map((id) => docs.get(id)?.n)).toEqual([1, 2, 3]);
    link.receive(removed('~5'));
    expect([5, '~5', '5'].map((id) => docs.get(id)?.n)).toEqual([undefined, 2, 3]);
    ddp.close();
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'is not troubled by the name %s as collection, id or field',
    async (name) => {
      const { ddp, link, events } = await opened();
      // Written as text: an object literal with this key would be another thing.
      const fields = `{"${name}":{"polluted":1,"prototype":{"polluted":1}},"ok":1}`;
      link.receive(`{"msg":"added","collection":"${name}","id":"${name}","fields":${fields}}`);
      const doc = ddp.collection(name).get(name)!;
      expect([doc._id, doc.ok]).toEqual([name, 1]);
      expect(Object.getPrototypeOf(doc)).toBe(Object.prototype);
      link.receive(
        `{"msg":"changed","collection":"${name}","id":"${name}","fields":${fields},"cleared":["${name}"]}`,
      );
      expect(Object.keys(ddp.collection(name).get(name)!).sort()).toEqual(['_id', 'ok']);
      link.receive(removed(name, name));
      expect([ddp.collection(name).size, events]).toEqual([0, []]);
      const clean: Record<string, unknown> = {};
      expect(clean.polluted).toBeUndefined();
      expect((Object as unknown as Record<string, unknown>).polluted).toBeUndefined();
      ddp.close();
    },
  );

  it('servers that keep no account of what a client has: added again merges, changed adds, removed again is nothing', async () => {
    const { ddp, link, events } = await opened();
    const log = watch(ddp);
    link.receive(removed('x'), changed('x', { a: 1 }), changed('x', { a: 1 }));
    link.receive(added('x', { a: 1 }), added('x', { b: 1 }), removed('y'));
    expect([look(log), events]).toEqual(['+x ~x', []]);
    expect(ddp.collection('c').get('x')).toEqual({ _id: 'x', a: 1, b: 1 });
    ddp.close();
  });
});

describe('observers', () => {
  it('are told what is there, then each change, with the document before', async () => {
    const { ddp, link } = world();
    await link.connect();
    link.receive(added('a', { n: 1 }), added('b', { n: 2 }));
    const calls: unknown[] = [];
    const observer = ddp.collection<{ n: number }>('c').observe({
      added: (doc) => calls.push(['added', doc]),
      changed: (doc, previous) => calls.push(['changed', doc, previous]),
      removed: (doc) => calls.push(['removed', doc]),
    });
    link.receive(changed('a', { n: 3 }), removed('b'));
    observer.stop();
    observer.stop();
    link.receive(removed('a'));
    expect(calls).toEqual([
      ['added', { _id: 'a', n: 1 }],
      ['added', { _id: 'b', n: 2 }],
      ['changed', { _id: 'a', n: 3 }, { _id: 'a', n: 1 }],
      ['removed', { _id: 'b', n: 2 }],
    ]);
    ddp.close();
  });

  it('need not care for everything, and may throw without harm to others', async () => {
    const { ddp, link, reported } = world();
    await link.connect();
    link.receive(added('a'));
    const boom = () => {
      throw new Error('mine');
    };
    ddp.collection('c').observe({ added: boom, changed: boom, removed: boom });
    ddp.collection('c').observe({ moved() {} });
    const log = watch(ddp);
    link.receive(changed('a', { n: 1 }), removed('a'));
    expect(look(log)).toBe('+a ~a -a');
    expect(reported).toHaveLength(3);
    ddp.close();
  });

  it('one that stops in an event is not called again, one that begins in it hears nothing twice', async () => {
    const { ddp, link } = world();
    await link.connect();
    const docs = ddp.collection('c');
    const log: string[] = [];
    const first = docs.observe({
      added: () => {
        log.push('first');
        first.stop();
        second.stop();
        docs.observe({ added: ({ _id }) => log.push(`new ${_id}`) });
      },
    });
    const second = docs.observe({ added: () => log.push('second') });
    link.receive(added('a'));
    expect(log).toEqual(['first', 'new a']);
    link.receive(added('b'));
    expect(log).toEqual(['first', 'new a', 'new b']);
    ddp.close();
  });
});

describe('after a failover', () => {
  it('a field that was cleared while the data was held back is gone', async () => {
    const { ddp, link } = world();
    const log = watch(ddp);
    ddp.subscribe('one');
    ddp.subscribe('two');
    await link.connect();
    link.receive(added('a', { n: 1, odd: 1 }), ready('1', '2'));
    look(log);
    link.down();
    await link.connect();
    link.receive(added('a', { n: 1, odd: 1 }), ready('1'), changed('a', { n: 2 }, ['odd']), ready('2'));
    expect(ddp.collection('c').get('a')).toEqual({ _id: 'a', n: 2 });
    ddp.close();
  });

  /** Two subscriptions, ready, with three documents. */
  const before = async (options = {}) => {
    const all = world(options);
    const log = watch(all.ddp);
    const subs = [all.ddp.subscribe('one'), all.ddp.subscribe('two')];
    await all.link.connect();
    all.link.receive(added('a', { n: 1, deep: { at: { $date: 1 } } }), added('b', { n: 1 }), ready('1'));
    all.link.receive(added('c', { n: 1 }), ready('2'));
    expect(look(log)).toBe('+a +b +c');
    return { ...all, log, subs };
  };

  it('data is held back until every subscription is ready, then shown as one minimal diff', async () => {
    const { ddp, link, log } = await before();
    const docs = ddp.collection('c');
    const [a, , c] = docs.find();
    const all = docs.find();
    link.down();
    await link.connect();
    link.receive(
      added('c', { n: 2 }),
      changed('c', { n: 1 }),
      added('d'),
      added('e'),
      removed('e'),
      ready('1'),
    );
    link.receive(added('a', { deep: { at: { $date: 1 } }, n: 1 }));
    expect([look(log), docs.find()]).toEqual(['', all]);
    expect(docs.find()).toBe(all);
    link.receive(ready('2'));
    expect(look(log)).toBe('-b +d');
    expect(docs.get('a')).toBe(a);
    expect(docs.get('c')).toBe(c);
    expect(vi.getTimerCount()).toBe(0);
    // And on as usual.
    link.receive(changed('a', { n: 5 }), removed('d'));
    expect(look(log)).toBe('~a -d');
    ddp.close();
  });

  it('nothing changed: no event, the same snapshot', async () => {
    const { ddp, link, log } = await before();
    const all = ddp.collection('c').find();
    link.down();
    await link.connect();
    link.receive(
      added('c', { n: 1 }),
      added('b', { n: 1 }),
      added('a', { n: 1, deep: { at: { $date: 1 } } }),
    );
    link.receive(ready('2', '1'));
    expect(look(log)).toBe('');
    expect(ddp.collection('c').find()).toBe(all);
    ddp.close();
  });

  it('every collection is in its new state before any observer hears of it', async () => {
    const { ddp, link } = await before();
    const seen: unknown[] = [];
    ddp.collection('c').observe({ removed: () => seen.push(ddp.collection('other').find()) });
    link.down();
    await link.connect();
    link.receive(added('x', {}, 'other'), added('a'));
    expect(ddp.collection('other').size).toBe(0);
    link.receive(ready('1', '2'));
    expect(seen).toEqual([[{ _id: 'x' }], [{ _id: 'x' }]]);
    ddp.close();
  });

  it('the promise of a subscription that was ready stays kept', async () => {
    const { ddp, link, subs } = await before();
    link.down();
    expect(await state(subs[0]!.ready)).toBeUndefined();
    expect(subs[0]!.active).toBe(true);
    await link.connect();
    link.receive(ready('1', '2'));
    expect(await state(subs[0]!.ready)).toBeUndefined();
    ddp.close();
  });

  it.each([
    ['refused', { msg: 'nosub', id: '2', error: { error: 403 } }, ['error server']],
    ['ended', { msg: 'nosub', id: '2' }, []],
  ])('a subscription that is %s holds nothing back any more', async (_name, nosub, told) => {
    const { ddp, link, log, events, subs } = await before();
    link.down();
    await link.connect();
    link.receive(added('a', { n: 2 }), ready('1'));
    expect(look(log)).toBe('');
    link.receive(nosub);
    expect(look(log)).toBe('-b -c ~a');
    expect(events).toEqual(told);
    expect(subs[1]!.active).toBe(false);
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'sub one()']);
    ddp.close();
  });

  it('stopped during the outage: not sent again, and not waited for', async () => {
    const { ddp, link, log, subs } = await before();
    link.down();
    subs[1]!.stop();
    await link.connect();
    expect(link.sent()).toEqual(['connect 1', 'sub one()']);
    link.receive(added('a', { n: 2 }), added('b', { n: 1 }), ready('1'));
    expect(look(log)).toBe('-c ~a');
    ddp.close();
  });

  it('stopped while held: told to the server, and not waited for', async () => {
    const { ddp, link, log, subs } = await before();
    link.down();
    await link.connect();
    link.sent();
    link.receive(added('a', { n: 2 }), added('b', { n: 1 }), ready('1'));
    subs[1]!.stop();
    expect(link.sent()).toEqual(['unsub 2']);
    expect(look(log)).toBe('-c ~a');
    ddp.close();
  });

  it('a new subscription is ready when its documents are visible, and holds nothing back', async () => {
    const { ddp, link, log } = await before();
    link.down();
    await link.connect();
    const sub = ddp.subscribe('three');
    sub.ready.then(
      () => log.push('ready'),
      () => {},
    );
    link.receive(added('new'), ready('3'));
    await vi.advanceTimersByTimeAsync(0);
    expect(look(log)).toBe('');
    link.receive(added('a', { n: 2 }), added('b', { n: 1 }), added('c', { n: 1 }), ready('1', '2'));
    await sub.ready;
    expect(look(log)).toBe('+new ~a ready');
    ddp.close();
  });

  it('while one that was never ready may still deliver, nothing is removed', async () => {
    const { ddp, link, log } = await before();
    const third = ddp.subscribe('three');
    link.receive(added('x', { n: 1 }));
    expect(look(log)).toBe('+x');
    link.down();
    await link.connect();
    link.receive(added('a', { n: 2 }), ready('1', '2'));
    // The others are back: shown at once. `b`, `c` and `x` may be those of the third.
    expect(look(log)).toBe('~a');
    expect(ddp.collection('c').size).toBe(4);
    link.receive(added('x', { n: 1 }));
    expect(look(log)).toBe('');
    link.receive(changed('b', { n: 3 }));
    link.receive(ready('3'));
    expect(look(log)).toBe('~b -c');
    expect(await state(third.ready)).toBeUndefined();
    ddp.close();
  });

  it('but not for ever: a publication that never says ready has had its time', async () => {
    const { ddp, link, log, events } = await before({ quiescenceTimeoutMs: 3_000 });
    ddp.subscribe('three');
    link.down();
    await link.connect();
    link.receive(added('a', { n: 1, deep: { at: { $date: 1 } } }), ready('1', '2'));
    await vi.advanceTimersByTimeAsync(2_999);
    expect(look(log)).toBe('');
    await vi.advanceTimersByTimeAsync(1);
    expect(look(log)).toBe('-b -c');
    expect(events).toEqual([]);
    ddp.close();
  });

  it('time is up: what is there is shown, nothing is removed, and the rest follows when it is ready', async () => {
    const { ddp, link, log, events } = await before();
    link.down();
    await link.connect();
    const call = ddp.call('m');
    const id = link.id('m');
    link.receive(added('a', { n: 2 }), added('d'), ready('1'), result(id, 'r'), updated(id));
    await vi.advanceTimersByTimeAsync(9_999);
    expect([look(log), await state(call)]).toEqual(['', 'pending']);
    await vi.advanceTimersByTimeAsync(1);
    expect(look(log)).toBe('~a +d');
    expect(await state(call)).toBe('r');
    expect(events).toEqual(['warning quiescence']);
    expect(ddp.collection('c').size).toBe(4);
    // Late, but live: an unchanged document raises no event, others do.
    link.receive(added('c', { n: 1 }), added('f'), removed('b'), added('b', { n: 1 }), removed('b'));
    expect(look(log)).toBe('+f -b +b -b');
    link.receive(removed('d'), ready('2'));
    expect(look(log)).toBe('-d');
    expect(
      ddp
        .collection('c')
        .find()
        .map(({ _id }) => _id),
    ).toEqual(['a', 'c', 'f']);
    ddp.close();
  });

  it('what a late subscription did not send again is removed when it is ready', async () => {
    const { ddp, link, log } = await before();
    link.down();
    await link.connect();
    link.receive(added('a', { n: 2 }), ready('1'));
    await vi.advanceTimersByTimeAsync(10_000);
    link.receive(added('c', { n: 1 }));
    expect(look(log)).toBe('~a');
    link.receive(ready('2'));
    expect(look(log)).toBe('-b');
    ddp.close();
  });

  it('a second outage while data is held starts anew', async () => {
    const { ddp, link, log, subs } = await before();
    link.down();
    await link.connect();
    const third = ddp.subscribe('three');
    link.receive(added('ghost'), ready('1', '3'));
    link.down();
    expect(await state(third.ready)).toBe('pending');
    await link.connect();
    expect(link.sent()).toEqual(['connect 1', 'sub one()', 'sub two()', 'sub three()']);
    link.receive(added('a', { n: 2 }), ready('2', '3'));
    expect([look(log), await state(third.ready)]).toEqual(['', 'pending']);
    link.receive(ready('1'));
    expect(look(log)).toBe('-b -c ~a');
    expect(await state(third.ready)).toBeUndefined();
    expect(subs[0]!.active).toBe(true);
    ddp.close();
  });

  it('what was ready on a connection that died before it could be shown has to be ready again', async () => {
    const { ddp, link } = await before();
    link.down();
    await link.connect();
    const third = ddp.subscribe('three');
    link.receive(ready('3'));
    link.down();
    await link.connect();
    link.receive(ready('1', '2'));
    expect(await state(third.ready)).toBe('pending');
    link.receive(ready('3'));
    expect(await state(third.ready)).toBeUndefined();
    ddp.close();
  });

  it('the old connection may serve until its replacement is up, without a gap', async () => {
    const { ddp, link, log } = await before();
    link.suspect();
    link.receive(changed('a', { n: 7 }));
    expect(look(log)).toBe('~a');
    await link.connect();
    link.receive(
      added('a', { n: 7, deep: { at: { $date: 1 } } }),
      added('b', { n: 1 }),
      added('c', { n: 1 }),
      ready('1', '2'),
    );
    expect(look(log)).toBe('');
    ddp.close();
  });

  it('without subscriptions, what is published to all is all there is', async () => {
    const { ddp, link } = world();
    const log = watch(ddp);
    await link.connect();
    link.receive(added('a'));
    link.down();
    await link.open();
    expect(look(log)).toBe('+a');
    link.receive({ msg: 'connected' });
    expect(look(log)).toBe('-a');
    ddp.close();
  });

  it('waits for the login being resumed: its documents belong to the user', async () => {
    const { ddp, link, log } = await before();
    const login = ddp.login({});
    const id = link.id('login');
    link.receive(result(id, { token: 't' }), updated(id));
    await login;
    link.down();
    await link.connect();
    const resume = link.id('login');
    link.receive(added('a', { n: 2 }), ready('1', '2'));
    expect(look(log)).toBe('');
    link.receive(added('b', { n: 1 }), result(resume, { token: 't' }));
    expect(look(log)).toBe('~a');
    await vi.advanceTimersByTimeAsync(100);
    expect(look(log)).toBe('-c');
    ddp.close();
  });

  it('documents that nobody subscribed to, and that come after everything else, do not flicker for who is logged in', async () => {
    const { ddp, link } = world();
    await link.connect();
    const login = ddp.login({});
    const id = link.id('login');
    link.receive(result(id, { id: 'u', token: 't' }), updated(id), added('u', { name: 'me' }, 'users'));
    await login;
    const log = watch(ddp, 'users');
    look(log);
    link.down();
    await link.connect();
    link.receive(result(link.id('login'), { id: 'u', token: 't' }));
    await vi.advanceTimersByTimeAsync(50);
    link.receive(added('u', { name: 'me' }, 'users'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(look(log)).toBe('');
    ddp.close();
  });

  it('a server that never says `connected` is told of', async () => {
    const { ddp, link, events } = world();
    await link.open();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(events).toEqual(['warning quiescence']);
    ddp.close();
  });
});

describe('the report’s replay time', () => {
  it('ends when the data is shown, or can no longer be', async () => {
    const { ddp, link } = world();
    const replayed = () => state(link.options.layer!.replayed());
    ddp.subscribe('s');
    await link.connect();
    expect(await replayed()).toBe(1);
    link.receive(ready('1'));
    link.down();
    await link.connect();
    const first = link.options.layer!.replayed();
    expect(await state(first)).toBe('pending');
    link.receive(ready('1'));
    expect(await state(first)).toBe(1);
    await link.open();
    const second = link.options.layer!.replayed();
    expect(await state(second)).toBe('pending');
    link.down();
    expect(await state(second)).toBe(1);
    ddp.close();
  });
});

describe('subscriptions', () => {
  it('ready, refused, ended, stopped', async () => {
    const { ddp, link, events } = world();
    await link.connect();
    const [good, refused, ended, stopped] = ['good', 'refused', 'ended', 'stopped'].map((name) =>
      ddp.subscribe(name),
    );
    link.sent();
    link.receive(ready('1', '99'), { msg: 'nosub', id: '2', error: { error: 404, reason: 'none' } });
    link.receive({ msg: 'nosub', id: '3' }, { msg: 'nosub', id: '99', error: { error: 1 } });
    stopped!.stop();
    stopped!.stop();
    expect(link.sent()).toEqual(['unsub 4']);
    await expect(good!.ready).resolves.toBeUndefined();
    await expect(refused!.ready).rejects.toMatchObject({ name: 'DDPError', code: 404 });
    await expect(ended!.ready).rejects.toMatchObject({ kind: 'server' });
    await expect(stopped!.ready).rejects.toMatchObject({ kind: 'aborted' });
    expect([good, refused, ended, stopped].map((sub) => sub!.active)).toEqual([true, false, false, false]);
    expect(good!.name).toBe('good');
    expect(events).toEqual([]);
    ddp.close();
    expect(good!.active).toBe(false);
  });

  it('one that nobody listens to is no unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { ddp } = world();
    ddp.subscribe('s').stop();
    ddp.subscribe('s');
    ddp.close();
    vi.useRealTimers();
    // Node tells of them after the microtasks of a turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    vi.useFakeTimers();
  });
});
