import { describe, expect, it, vi } from 'vitest';
import { EJSON, type DDPOptions } from '../../../src/ddp/index.ts';
import {
  added,
  changed,
  connected,
  failed,
  logIn,
  look,
  ready,
  result,
  state,
  tooEarly,
  updated,
  watch,
  world,
  type World,
  virtualTime,
} from '../../support/ddp-harness.ts';

// What holds whatever comes together: two connections at once, a call that waits, an observer that stops what it hears of.
const clock = performance.now.bind(performance);
virtualTime();

const opened = async (options: DDPOptions = {}): Promise<World> => {
  const all = world(options);
  await all.link.connect();
  all.link.sent();
  return all;
};
/** With one subscription, called `one`, that is ready and has brought these documents. */
const subscribed = async (...messages: object[]) => {
  const all = await opened();
  const sub = all.ddp.subscribe('one');
  const id = all.link.id('one');
  all.link.sent();
  all.link.receive(...messages, ready(id));
  return { ...all, sub, id };
};
const ids = ({ ddp }: World, collection = 'c') =>
  ddp
    .collection(collection)
    .find()
    .map(({ _id }) => _id);

describe('calls', () => {
  it('retry: false, two of them under way when the node is left: gone with it, and sent to no other', async () => {
    const { ddp, link } = await opened();
    const calls = [
      ddp.apply('p', [], { retry: false }),
      ddp.apply('q', [], { retry: false }),
      ddp.apply('alone', [], { wait: true }),
    ];
    expect(link.sent()).toEqual(['method p()', 'method q()']);
    const old = await link.move();
    link.receive(connected);
    old.ends();
    expect(link.sent()).toEqual(['connect 1', 'method alone()']);
    expect(await Promise.all(calls.map(state))).toEqual(['!unconfirmed', '!unconfirmed', 'pending']);
    ddp.close();
    expect(await state(calls[2]!)).toBe('!closed');
  });

  it('a result without its `updated`, and both nodes gone: it waits for the documents of the third', async () => {
    const { ddp, link, id: sub } = await subscribed(added('x', { n: 1 }));
    const call = ddp.call('put');
    const id = link.id('put');
    const old = await link.move();
    old.says(result(id, 'done'));
    link.down();
    old.ends();
    expect(await state(call)).toBe('pending');
    await link.connect();
    link.receive(added('x', { n: 2 }), ready(sub));
    expect(await state(call)).toBe('done');
    ddp.close();
  });

  it('a hook that aborts a call which waits lets nothing pass what the node before still works on', async () => {
    const { ddp, link } = await opened();
    const controller = new AbortController();
    const calls = [
      ddp.call('a'),
      ddp.apply('alone', [], { wait: true, signal: controller.signal }),
      ddp.call('b'),
    ];
    for (const call of calls) call.catch(() => {});
    ddp.onReconnect(() => controller.abort());
    link.sent();
    await link.move();
    expect(link.sent()).toEqual(['connect 1']);
    expect(await Promise.all(calls.map(state))).toEqual(['pending', '!aborted', 'pending']);
    ddp.close();
  });

  it('a signal that is none rejects, and leaves no timer', async () => {
    const { ddp } = await opened();
    const signal = new AbortController() as unknown as AbortSignal;
    expect(await state(ddp.apply('m', [], { signal }))).toMatch(/options\.signal/);
    ddp.close();
  });
});

describe('logins', () => {
  it('a node that is left with a call under way: the next one knows the user before its subscriptions', async () => {
    const all = await opened();
    const { ddp, link } = all;
    await logIn(all);
    ddp.subscribe('private');
    const call = ddp.call('slow');
    await link.move();
    expect(link.sent()).toEqual(['connect 1', 'method login({"resume":"t"})', 'sub private()']);
    ddp.close();
    expect(await state(call)).toBe('!closed');
  });

  it('so does one after an outage, although a call waits that nothing passes', async () => {
    const all = await opened();
    const { ddp, link } = all;
    await logIn(all);
    ddp.subscribe('private');
    const call = ddp.apply('alone', [], { wait: true });
    link.down();
    await link.open();
    expect(link.sent()).toEqual([
      'connect 1',
      'method login({"resume":"t"})',
      'sub private()',
      'method alone()',
    ]);
    ddp.close();
    expect(await state(call)).toBe('!closed');
  });

  it('and although the queue is full', async () => {
    const all = await opened({ queue: { maxMessages: 2 } });
    const { ddp, link, events } = all;
    await logIn(all);
    link.down();
    const calls = [ddp.apply('alone', [], { wait: true }), ddp.call('b')];
    await link.open();
    expect([link.sent()[1], events]).toEqual(['method login({"resume":"t"})', []]);
    ddp.close();
    expect(await Promise.all(calls.map(state))).toEqual(['!closed', '!closed']);
  });

  it('another user who logs in before the logout is answered stays', async () => {
    const all = await opened();
    const { ddp, link } = all;
    await logIn(all);
    const logout = ddp.logout();
    const out = link.id('logout');
    const login = ddp.login({ user: 'v' });
    const id = link.id('login');
    link.receive(result(out), result(id, { id: 'u2', token: 't2' }), updated(out), updated(id));
    await Promise.all([logout, login]);
    expect(ddp.userId).toBe('u2');
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'method login({"resume":"t2"})']);
    ddp.close();
  });

  it('who logs out while the token is under way stays out, even if the server fails to log out', async () => {
    const all = await opened();
    const { ddp, link } = all;
    await logIn(all);
    link.down();
    await link.open();
    const resume = link.id('login');
    const logout = ddp.logout();
    link.receive(
      connected,
      result(resume, { id: 'u1', token: 't' }),
      failed(link.id('logout'), { error: 500 }),
    );
    expect([await state(logout), ddp.userId]).toEqual(['!server', undefined]);
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });
});

describe('documents and their order', () => {
  const before = (id: string, next: string | null) => ({ ...added(id), msg: 'addedBefore', before: next });

  it('an observer that stops the last subscription awaited: the new node’s documents, and what it says next', async () => {
    const all = await subscribed(added('a'));
    const { ddp, link, sub } = all;
    const old = await link.move();
    link.receive(connected, added('new'));
    ddp.collection('c').observe({ added: ({ _id }) => void (_id === 'stop' && sub.stop()) });
    old.says(added('stop'));
    old.ends();
    link.receive(added('live'));
    expect(ids(all)).toEqual(['new', 'live']);
    ddp.close();
  });

  it('the observers beside it hear everything in the same order', async () => {
    const { ddp, link, sub } = await subscribed(added('a'));
    const old = await link.move();
    link.receive(connected);
    ddp.collection('c').observe({ added: ({ _id }) => void (_id === 'stop' && sub.stop()) });
    const log = watch(ddp);
    look(log);
    old.says(added('stop'));
    expect(look(log)).toBe('+stop -a -stop');
    ddp.close();
  });

  it('one that stops it when told of the first document there is does not keep what is gone', async () => {
    const all = await subscribed(added('a'), added('b'));
    const { ddp, link, sub } = all;
    link.down();
    await link.connect();
    const seen = new Set<string>();
    ddp.collection<{ _id: string }>('c').observe({
      added: ({ _id }) => {
        seen.add(_id);
        sub.stop();
      },
      removed: ({ _id }) => void seen.delete(_id),
    });
    expect([[...seen], ids(all)]).toEqual([[], []]);
    ddp.close();
  });

  it('a type of the app’s own that cannot be compared harms no other document', async () => {
    class Boom {
      typeName = () => 'boom';
      toJSONValue = () => 1;
      clone = () => this;
      equals = () => {
        throw new Error('mine');
      };
    }
    EJSON.addType('boom', () => new Boom());
    const odd = added('a', { boom: { $type: 'boom', $value: 1 } });
    const all = await subscribed(odd, added('o', {}, 'other'));
    const { ddp, link, id, reported } = all;
    link.down();
    await link.connect();
    link.receive(odd, added('o', { n: 1 }, 'other'), ready(id), added('z'), added('z', {}, 'other'));
    expect([ids(all), ids(all, 'other'), reported.map(String)]).toEqual([
      ['a', 'z'],
      ['o', 'z'],
      ['Error: mine'],
    ]);
    ddp.close();
  });

  it('a failover that leaves an order as it was: the same snapshot, nobody is told', async () => {
    const { ddp, link, id } = await subscribed(before('b', null), before('a', 'b'));
    const all = ddp.collection('c').find();
    const told: string[] = [];
    ddp.collection<{ _id: string }>('c').observe({ moved: ({ _id }) => told.push(_id) });
    ddp.collection('c').subscribe(({ length }) => told.push(`${length} documents`));
    link.down();
    await link.connect();
    link.receive(before('a', null), before('b', null), ready(id));
    expect(told).toEqual(['2 documents']);
    expect(ddp.collection('c').find()).toBe(all);
    ddp.close();
  });

  it.each(['b', 'a'])(
    'a document moved to where it is, before %s: the same snapshot, nobody is told',
    async (next) => {
      const { ddp, link } = await subscribed(before('a', null), before('b', null));
      const all = ddp.collection('c').find();
      const told: string[] = [];
      ddp.collection<{ _id: string }>('c').observe({ moved: ({ _id }) => told.push(_id) });
      link.receive({ msg: 'movedBefore', collection: 'c', id: 'a', before: next });
      expect([told, all.map(({ _id }) => _id)]).toEqual([[], ['a', 'b']]);
      expect(ddp.collection('c').find()).toBe(all);
      ddp.close();
    },
  );

  it('a hundred selectors by turns keep their arrays', async () => {
    const { ddp } = await subscribed(added('a', { n: 1 }));
    const todos = ddp.collection<{ n: number }>('c');
    const round = () => Array.from({ length: 100 }, (_, n) => todos.find({ n }));
    const first = round();
    expect(round().filter((found, n) => found !== first[n])).toEqual([]);
    ddp.close();
  });

  it('a selector is known again whatever the order of its keys, and one for a field that is not there is its own', async () => {
    const { ddp } = await subscribed(added('a', { n: 1, m: 1 }), added('b', { n: 2 }));
    const todos = ddp.collection<{ n: number; m: number | undefined }>('c');
    expect(todos.find({ m: 1, n: 1 })).toBe(todos.find({ n: 1, m: 1 }));
    const without = todos.find({ m: undefined });
    expect(without.map(({ _id }) => _id)).toEqual(['b']);
    expect(todos.find({})).toHaveLength(2);
    expect(todos.find({ m: undefined })).toBe(without);
    ddp.close();
  });

  it('what is no selector is a RangeError', async () => {
    const { ddp } = await opened();
    expect(() => ddp.collection('c').find('a' as never)).toThrow(RangeError);
    ddp.close();
  });
});

describe('iteration', () => {
  it('a snapshot costs a reader the same, however many it has read', async () => {
    const { ddp, link } = await subscribed(added('a'));
    const reader = ddp.collection('c')[Symbol.asyncIterator]();
    await reader.next();
    const took: number[] = [];
    for (let round = 0, n = 0; round < 20; round++) {
      const from = clock();
      for (let i = 0; i < 150; i++) {
        const next = reader.next();
        link.receive(changed('a', { n: n++ }));
        await next;
      }
      took.push(clock() - from);
    }
    // The quickest of the last rounds beside an early one of middling speed: what else the machine does is in neither.
    const early = took.slice(0, 5).sort((a, b) => a - b)[2]!;
    expect(Math.min(...took.slice(-5))).toBeLessThan(3 * early);
    await reader.return!();
    ddp.close();
  });

  it('whoever asks for the next snapshot while another waits for it gets it too; who comes late, the last one', async () => {
    const { ddp, link } = await opened();
    const reader = ddp.collection('c')[Symbol.asyncIterator]();
    expect((await reader.next()).value).toHaveLength(0);
    const [one, two] = [reader.next(), reader.next()];
    link.receive(added('a'));
    expect((await one).value).toHaveLength(1);
    link.receive(added('b'));
    expect((await two).value).toHaveLength(2);
    const late = ddp.collection('c')[Symbol.asyncIterator]();
    ddp.close();
    expect([(await late.next()).value, await late.next(), await reader.next()]).toMatchObject([
      { length: 2 },
      { done: true },
      { done: true },
    ]);
  });
});

describe('subscriptions', () => {
  it('a parameter that stops its own subscription when asked anew: that is not sent again', async () => {
    const { ddp, link } = world();
    let asked = 0;
    const sub = ddp.subscribe('s', () => {
      if (asked === 1) sub.stop();
      return (asked += 1);
    });
    await link.connect();
    expect(link.sent()).toEqual(['connect 1', 'sub s(1)']);
    link.down();
    await link.open();
    expect([link.sent(), sub.active]).toEqual([['connect 1'], false]);
    ddp.close();
  });

  it('stopped and asked for again while suspect: two subscriptions to the server, in that order', async () => {
    const { ddp, link, sub } = await subscribed();
    link.suspect();
    sub.stop();
    const next = ddp.subscribe('one');
    link.recover();
    expect([link.sent(), next.active]).toEqual([['unsub 1', 'sub one()'], true]);
    ddp.close();
  });
});

describe('servers that must be connected first', () => {
  /** Connected to one that has refused, and is known for it. */
  const patient = async (): Promise<World> => {
    const all = world();
    const sub = all.ddp.subscribe('too early');
    await all.link.open();
    all.link.receive(tooEarly(all.link.id('too early')));
    sub.stop();
    all.link.receive(connected);
    all.link.sent();
    return all;
  };

  it('after a failover without subscriptions nothing is held back', async () => {
    const { ddp, link } = await patient();
    link.down();
    await link.open();
    const log = watch(ddp);
    const call = ddp.call('m');
    link.receive(connected);
    const id = link.id('m');
    link.receive(added('a'), result(id, 1), updated(id));
    expect([look(log), await state(call)]).toEqual(['+a', 1]);
    ddp.close();
  });

  it('nor does a subscription that was never ready hold anything back', async () => {
    const { ddp, link } = await patient();
    link.down();
    ddp.subscribe('never ready');
    await link.open();
    const log = watch(ddp);
    link.receive(connected, added('a'));
    expect(look(log)).toBe('+a');
    ddp.close();
  });

  it('a stored token that came too early goes again before the subscriptions', async () => {
    const tokenStorage = { getItem: () => 't', setItem() {}, removeItem() {} };
    const { ddp, link } = world({ tokenStorage });
    ddp.subscribe('private');
    await link.open();
    const [, ...refused] = link.frames;
    const flight = ['method login({"resume":"t"})', 'sub private()'];
    expect(link.sent()).toEqual(['connect 1', ...flight]);
    link.receive(...refused.map(({ id, msg }) => tooEarly(id, msg)), connected);
    expect(link.sent()).toEqual(flight);
    ddp.close();
  });

  it('a second node that refuses, the first did not: login, what hooks call, subscriptions, as ever', async () => {
    const all = await opened();
    const { ddp, link } = all;
    await logIn(all);
    ddp.subscribe('private');
    ddp.onReconnect(() => void ddp.call('hello').catch(() => {}));
    link.down();
    await link.open();
    const [, ...refused] = link.frames;
    const flight = ['method login({"resume":"t"})', 'method hello()', 'sub private()'];
    expect(link.sent()).toEqual(['connect 1', ...flight]);
    link.receive(...refused.map(({ id, msg }) => tooEarly(id, msg)), connected);
    expect(link.sent()).toEqual(flight);
    ddp.close();
  });

  it('what is called after a refusal does not pass what was refused', async () => {
    const { ddp, link } = world();
    const calls = [ddp.call('a')];
    await link.open();
    link.receive(tooEarly(link.id('a'), 'method'));
    link.sent();
    calls.push(ddp.call('b'));
    expect(link.sent()).toEqual([]);
    link.receive(connected);
    expect(link.sent()).toEqual(['method a()', 'method b()']);
    ddp.close();
    expect(await Promise.all(calls.map(state))).toEqual(['!closed', '!closed']);
  });

  it('another complaint about a call rejects it: it is not sent for ever', async () => {
    const { ddp, link, events } = world();
    const call = ddp.call('a');
    await link.open();
    const complaint = { ...tooEarly(link.id('a'), 'method'), reason: 'Malformed method invocation' };
    link.receive(complaint, connected, complaint, complaint);
    expect(link.sent()).toEqual(['connect 1', 'method a()', 'method a()']);
    expect(events).toEqual(['error server', 'error server']);
    ddp.close();
    expect(await state(call)).toBe('!server');
  });

  it('one that never says `connected` is told of, on later connections too', async () => {
    const { ddp, link, events } = await patient();
    link.down();
    await link.open();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(events).toEqual(['warning quiescence']);
    ddp.close();
  });

  it('the report’s replay time ends when the data is shown', async () => {
    const { ddp, link } = await patient();
    ddp.subscribe('one');
    ddp.subscribe('two');
    const subs = [link.id('one'), link.id('two')];
    link.receive(ready(...subs));
    link.down();
    await link.open();
    const replayed = link.options.layer!.replayed();
    expect(await state(replayed)).toBe('pending');
    link.receive(connected, ready(...subs));
    expect(await state(replayed)).toBe(2);
    ddp.close();
  });

  it('what the node before says until then is shown, and a call it answers has its documents', async () => {
    const { ddp, link } = await patient();
    ddp.subscribe('one');
    link.receive(added('x', { n: 1 }), ready(link.id('one')));
    const call = ddp.call('put');
    const id = link.id('put');
    const old = await link.move();
    old.says(changed('x', { n: 2 }), result(id, 'done'), updated(id));
    expect([await state(call), ddp.collection('c').get('x')]).toEqual(['done', { _id: 'x', n: 2 }]);
    ddp.close();
  });

  it('a refusal of what only the node before was asked changes nothing', async () => {
    const { ddp, link } = await opened();
    const call = ddp.apply('once', [], { retry: false });
    const id = link.id('once');
    link.sent();
    const old = await link.move();
    link.receive(tooEarly(id, 'method'), connected);
    expect(link.sent()).toEqual(['connect 1']);
    old.says(result(id, 1), updated(id));
    expect(await state(call)).toBe(1);
    ddp.close();
  });
});
