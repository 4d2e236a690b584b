import { describe, expect, it } from 'vitest';
import { added, ready, state, world, virtualTime } from '../../support/ddp-harness.ts';

virtualTime();

const nosub = (id: string, error?: object) => ({ msg: 'nosub', id, error });

describe('the same subscription, asked for twice', () => {
  it('goes out once, and ends when the last one stops', async () => {
    const { ddp, link } = world();
    await link.connect();
    const one = ddp.subscribe('todos', { done: false });
    const id = link.id('todos');
    const two = ddp.subscribe('todos', { done: false });
    const other = ddp.subscribe('todos', { done: true });
    expect(link.sent()).toEqual(['connect 1', 'sub todos({"done":false})', 'sub todos({"done":true})']);
    link.receive(ready(id));
    expect([await state(one.ready), await state(two.ready), await state(other.ready)]).toEqual([
      undefined,
      undefined,
      'pending',
    ]);
    // Who comes when it is ready finds it ready.
    const three = ddp.subscribe('todos', { done: false });
    expect(await state(three.ready)).toBe(undefined);
    one.stop();
    one.stop();
    three.stop();
    expect([one.active, two.active, link.sent()]).toEqual([false, true, []]);
    two.stop();
    expect([two.active, link.sent()]).toEqual([false, [`unsub ${id}`]]);
    ddp.subscribe('todos', { done: false });
    expect(link.sent()).toEqual(['sub todos({"done":false})']);
    ddp.close();
  });

  it('stopping one rejects its own `ready` only', async () => {
    const { ddp, link } = world();
    await link.connect();
    const [one, two] = [ddp.subscribe('todos'), ddp.subscribe('todos')];
    one.stop();
    expect([await state(one.ready), await state(two.ready)]).toEqual(['!aborted', 'pending']);
    link.receive(nosub(link.id('todos'), { error: 403 }));
    expect([await state(two.ready), two.active]).toEqual(['!server', false]);
    // The server has ended it: the next one begins anew.
    const three = ddp.subscribe('todos');
    expect([link.frames.filter(({ msg }) => msg === 'sub').length, await state(three.ready)]).toEqual([
      2,
      'pending',
    ]);
    ddp.close();
    expect(await state(three.ready)).toBe('!closed');
  });

  it('is replayed once; all stopped during an outage, not at all', async () => {
    const { ddp, link } = world();
    await link.connect();
    const subs = [ddp.subscribe('a'), ddp.subscribe('a'), ddp.subscribe('b'), ddp.subscribe('b')];
    link.down();
    subs[0]!.stop();
    subs[2]!.stop();
    subs[3]!.stop();
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'sub a()']);
    ddp.close();
  });
});

describe('a parameter that is a function', () => {
  it('is asked anew for each connection, while the documents are still those of the last one', async () => {
    const { ddp, link } = world();
    const news = ddp.collection<{ at: number }>('news');
    const asked: unknown[] = [];
    ddp.subscribe('news', 'since', () => {
      asked.push(news.size);
      return news.find().at(-1)?.at ?? null;
    });
    await link.connect();
    const id = link.id('news');
    expect(link.sent()).toEqual(['connect 1', 'sub news("since",null)']);
    link.receive(added('x', { at: 5 }, 'news'), added('y', { at: 7 }, 'news'), ready(id));
    link.down();
    await link.open();
    expect([link.frames[1]!.id, link.sent()]).toEqual([id, ['connect 1', 'sub news("since",7)']]);
    // Once for each connection; for the first at `subscribe`, so that a bad one throws there.
    expect(asked).toEqual([0, 2]);
    ddp.close();
  });

  it('is never shared: functions cannot be compared', async () => {
    const { ddp, link } = world();
    await link.connect();
    const now = () => 1;
    ddp.subscribe('news', now);
    ddp.subscribe('news', now);
    expect(link.sent()).toEqual(['connect 1', 'sub news(1)', 'sub news(1)']);
    ddp.close();
  });

  it('that throws at first throws at who subscribes; later it is reported, and the last value sent', async () => {
    const { ddp, link, reported } = world();
    let fails = true;
    const since = () => {
      if (fails) throw new Error('no state');
      return 3;
    };
    expect(() => ddp.subscribe('news', since)).toThrow('no state');
    fails = false;
    ddp.subscribe('news', since);
    await link.connect();
    fails = true;
    link.down();
    await link.open();
    expect([link.sent(), reported.map(String)]).toEqual([['connect 1', 'sub news(3)'], ['Error: no state']]);
    ddp.close();
  });
});
