import { describe, expect, it, vi } from 'vitest';
import type { DDPClient } from '../../../src/ddp/index.ts';
import {
  added,
  changed,
  look,
  ready,
  removed,
  world,
  type FakeLink,
  type World,
  virtualTime,
} from '../../support/ddp-harness.ts';

virtualTime();

const opened = async (): Promise<World> => {
  const all = world();
  await all.link.connect();
  return all;
};
const ids = (ddp: DDPClient<FakeLink>) =>
  ddp
    .collection('c')
    .find()
    .map(({ _id }) => _id)
    .join('');
/** As `watch` of the harness, and `>id` for a document that moved. */
const watchAll = (ddp: DDPClient<FakeLink>) => {
  const log: string[] = [];
  ddp.collection('c').observe({
    added: (doc) => log.push(`+${doc._id}`),
    changed: (doc) => log.push(`~${doc._id}`),
    removed: (doc) => log.push(`-${doc._id}`),
    moved: (doc) => log.push(`>${doc._id}`),
  });
  return log;
};
const addedBefore = (id: string, before: string | null, fields: object = {}) => ({
  msg: 'addedBefore',
  collection: 'c',
  id,
  fields,
  before,
});
const movedBefore = (id: string, before: string | null) => ({
  msg: 'movedBefore',
  collection: 'c',
  id,
  before,
});

describe('an order that the server keeps', () => {
  it('addedBefore puts a document in front of another, or behind all', async () => {
    const { ddp, link } = await opened();
    const log = watchAll(ddp);
    link.receive(addedBefore('b', null, { n: 2 }), addedBefore('d', null), addedBefore('a', 'b'));
    link.receive(addedBefore('c', 'd'));
    expect(ids(ddp)).toBe('abcd');
    expect(look(log)).toBe('+b +d +a +c');
    expect(ddp.collection('c').get('b')).toEqual({ _id: 'b', n: 2 });
    ddp.close();
  });

  it('movedBefore moves one, and tells of that alone', async () => {
    const { ddp, link, events } = await opened();
    link.receive(added('a'), added('b'), added('c'));
    const log = watchAll(ddp);
    look(log);
    const before = ddp.collection('c').find();
    link.receive(movedBefore('c', 'a'));
    expect([ids(ddp), look(log)]).toEqual(['cab', '>c']);
    expect(ddp.collection('c').find()).not.toBe(before);
    link.receive(movedBefore('c', null));
    expect([ids(ddp), look(log)]).toEqual(['abc', '>c']);
    expect(ddp.collection('c').find()[2]).toBe(before[2]);
    link.receive(movedBefore('nobody', null));
    expect([ids(ddp), events]).toEqual(['abc', []]);
    ddp.close();
  });

  it('a document to stand before that is not there: behind all', async () => {
    const { ddp, link } = await opened();
    link.receive(added('a'), addedBefore('b', 'gone'));
    expect(ids(ddp)).toBe('ab');
    ddp.close();
  });

  it.each([
    ['the same', ['a', 'b', 'c', 'd'], 'abcd', ''],
    ['one went to the front', ['d', 'a', 'b', 'c'], 'dabc', '>d'],
    ['one is gone, one is new', ['a', 'x', 'c', 'd'], 'axcd', '-b +x'],
    ['all the other way round', ['d', 'c', 'b', 'a'], 'dcba', '>d >c >b'],
  ])('after a failover it is the new connection’s: %s', async (_, order, expected, told) => {
    const { ddp, link } = world();
    ddp.subscribe('all');
    await link.connect();
    const id = link.id('all');
    link.receive(...['a', 'b', 'c', 'd'].map((one) => addedBefore(one, null)), ready(id));
    const log = watchAll(ddp);
    look(log);
    link.down();
    await link.connect();
    link.receive(...order.map((one) => addedBefore(one, null)));
    expect([ids(ddp), look(log)]).toEqual(['abcd', '']);
    link.receive(ready(id));
    expect([ids(ddp), look(log)]).toEqual([expected, told]);
    ddp.close();
  });

  it('without it a document keeps its place, whatever order the new node says them in', async () => {
    const { ddp, link } = world();
    ddp.subscribe('all');
    await link.connect();
    const id = link.id('all');
    link.receive(added('a'), added('b'), ready(id));
    const before = ddp.collection('c').find();
    link.down();
    await link.connect();
    link.receive(added('b'), added('a'), ready(id));
    expect(ddp.collection('c').find()).toBe(before);
    ddp.close();
  });
});

describe('a selector', () => {
  it('finds by values of fields, whatever their kind', async () => {
    const { ddp, link } = await opened();
    link.receive(
      added('a', { done: true, at: { $date: 5 }, list: [1] }),
      added('b', { done: false, at: { $date: 5 }, list: [2] }),
      added('c', { done: true, at: { $date: 6 } }),
    );
    const todos = ddp.collection<{ done: boolean; at: Date; list: number[] }>('c');
    const found = (filter: Parameters<typeof todos.find>[0]) =>
      todos
        .find(filter)
        .map(({ _id }) => _id)
        .join('');
    expect(found({ done: true })).toBe('ac');
    expect(found({ done: true, at: new Date(5) })).toBe('a');
    expect(found({ list: [2] })).toBe('b');
    expect(found({ _id: 'c' })).toBe('c');
    expect(found({})).toBe('abc');
    ddp.close();
  });

  it('gives the same array for an equal object, until what it holds changes', async () => {
    const { ddp, link } = await opened();
    const todos = ddp.collection<{ done: boolean; text: string }>('c');
    link.receive(added('a', { done: true }), added('b', { done: false }));
    const done = todos.find({ done: true });
    link.receive(changed('b', { text: 'other' }));
    expect(todos.find({ done: true })).toBe(done);
    expect(Object.isFrozen(done)).toBe(true);
    link.receive(changed('a', { text: 'mine' }));
    expect(todos.find({ done: true })).not.toBe(done);
    // So many different ones that it forgets: right all the same.
    for (let i = 0; i < 300; i++) todos.find({ text: String(i) });
    expect(todos.find({ done: true })).toHaveLength(1);
    ddp.close();
  });
});

describe('a listener to snapshots', () => {
  it('is told at once, and once per change', async () => {
    const { ddp, link } = await opened();
    link.receive(added('a'));
    const seen: string[] = [];
    const stop = ddp.collection('c').subscribe((docs) => seen.push(docs.map(({ _id }) => _id).join('')));
    expect(seen).toEqual(['a']);
    link.receive(added('b'), added('b'), changed('b', {}), changed('b', { n: 1 }), removed('a'));
    expect(seen).toEqual(['a', 'ab', 'ab', 'b']);
    stop();
    link.receive(removed('b'));
    expect(seen).toHaveLength(4);
    ddp.close();
  });

  it('of a failover once, with all of it; of one that changed nothing not at all', async () => {
    const { ddp, link } = world();
    ddp.subscribe('all');
    await link.connect();
    const id = link.id('all');
    link.receive(added('a'), added('b'), ready(id));
    const seen: string[] = [];
    ddp.collection('c').subscribe((docs) => seen.push(docs.map(({ _id }) => _id).join('')));
    const again = async (...names: string[]) => {
      link.down();
      await link.connect();
      link.receive(...names.map((name) => added(name)), ready(id));
    };
    await again('b', 'a');
    expect(seen).toEqual(['ab']);
    await again('b', 'c', 'd');
    expect(seen).toEqual(['ab', 'bcd']);
    ddp.close();
  });

  it('that throws is reported and harms no other', async () => {
    const { ddp, link, reported } = await opened();
    const seen: number[] = [];
    ddp.collection('c').subscribe(() => {
      throw new Error('mine');
    });
    ddp.collection('c').subscribe((docs) => seen.push(docs.length));
    link.receive(added('a'));
    expect([seen, reported.map(String)]).toEqual([
      [0, 1],
      ['Error: mine', 'Error: mine'],
    ]);
    ddp.close();
  });
});

describe('asynchronous iteration', () => {
  it('yields what there is, then each newer snapshot; a slow reader gets the newest; it ends with the client', async () => {
    const { ddp, link } = await opened();
    link.receive(added('a'));
    const seen: string[] = [];
    let go = () => {};
    const reading = (async () => {
      for await (const docs of ddp.collection('c')) {
        seen.push(docs.map(({ _id }) => _id).join(''));
        await new Promise<void>((resolve) => (go = resolve));
      }
      seen.push('end');
    })();
    const settle = () => vi.advanceTimersByTimeAsync(0);
    await settle();
    link.receive(added('b'), added('c'));
    go();
    await settle();
    expect(seen).toEqual(['a', 'abc']);
    go();
    await settle();
    link.receive(removed('a'));
    await settle();
    expect(seen).toEqual(['a', 'abc', 'bc']);
    go();
    await settle();
    ddp.close();
    await reading;
    expect(seen.at(-1)).toBe('end');
    // Of a client that is closed there is what was, and no more.
    const rest: number[] = [];
    for await (const docs of ddp.collection('c')) rest.push(docs.length);
    for await (const docs of ddp.collection('never seen')) rest.push(docs.length);
    expect(rest).toEqual([2, 0]);
  });

  it('can be left, also while it waits', async () => {
    const { ddp, link } = await opened();
    link.receive(added('a'));
    const reader = ddp.collection('c')[Symbol.asyncIterator]();
    await reader.next();
    const [waiting, too] = [reader.next(), reader.next()];
    await reader.return!();
    expect(await Promise.all([waiting, too])).toEqual(Array(2).fill({ done: true, value: undefined }));
    ddp.close();
  });
});
