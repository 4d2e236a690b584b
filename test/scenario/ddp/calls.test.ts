import { describe, expect, it, vi } from 'vitest';
import {
  added,
  failed,
  look,
  ready,
  result,
  state,
  updated,
  watch,
  world,
  type World,
  virtualTime,
} from '../../support/ddp-harness.ts';

virtualTime();

const connected = async (options = {}): Promise<World> => {
  const all = world(options);
  await all.link.connect();
  all.link.sent();
  return all;
};

describe('an answer', () => {
  it.each([
    ['result, then updated', ['result', 'updated']],
    ['updated, then result', ['updated', 'result']],
  ])('needs both: %s', async (_name, order) => {
    const { ddp, link } = await connected();
    const call = ddp.call('m', 1);
    const id = link.id('m');
    const messages = { result: result(id, { at: { $date: 5 } }), updated: updated('x', id) };
    link.receive(messages[order[0] as 'result']);
    expect(await state(call)).toBe('pending');
    link.receive(messages[order[1] as 'result']);
    expect(await state(call)).toEqual({ at: new Date(5) });
    ddp.close();
  });

  it('an error rejects at once, and whatever comes later is of no matter', async () => {
    const { ddp, link, events } = await connected();
    const call = ddp.call('m');
    const id = link.id('m');
    link.receive(failed(id, { error: 'no', reason: 'r', details: [1] }), updated(id), result(id, 5));
    await expect(call).rejects.toMatchObject({ kind: 'server', code: 'no', reason: 'r', details: [1] });
    expect(events).toEqual([]);
    ddp.close();
  });

  it('a result told twice counts once, an answer to nobody not at all', async () => {
    const { ddp, link } = await connected();
    const call = ddp.call('m');
    const id = link.id('m');
    link.receive(result(id, 1), result(id, 2), result('99', 3), updated('99', id));
    expect(await state(call)).toBe(1);
    ddp.close();
  });

  it('a method without a result resolves with undefined', async () => {
    const { ddp, link } = await connected();
    const call = ddp.apply('m');
    const id = link.id('m');
    link.receive({ msg: 'result', id }, updated(id));
    expect(await state(call)).toBeUndefined();
    ddp.close();
  });

  it('parameters are taken as they are at the time of the call', async () => {
    const { ddp, link } = world();
    const param = { n: 1 };
    const call = ddp.call('m', param, undefined);
    param.n = 2;
    await link.open();
    expect(link.sent()).toContain('method m({"n":1},null)');
    ddp.close();
    expect(await state(call)).toBe('!closed');
  });
});

describe('an outage', () => {
  it('calls without an answer are sent again with the same id and seed, in order, among those made meanwhile', async () => {
    const { ddp, link } = await connected();
    const first = ddp.apply('first', [], { randomSeed: 's' });
    const answered = ddp.call('answered');
    const [frame, other] = link.frames.splice(0);
    link.receive(result(other!.id as string), updated(other!.id as string));
    link.down();
    const second = ddp.call('second');
    await link.connect();
    expect(link.frames[1]).toEqual(frame);
    expect(frame).toMatchObject({ randomSeed: 's' });
    expect(link.sent()).toEqual(['connect 1', 'method first()', 'method second()']);
    expect(await state(answered)).toBeUndefined();
    ddp.close();
    expect(await Promise.all([first, second].map(state))).toEqual(['!closed', '!closed']);
  });

  it('retry: false is never sent twice: lost after sending, it is unconfirmed', async () => {
    const { ddp, link } = await connected();
    const call = ddp.apply('m', [], { retry: false });
    link.down();
    await expect(call).rejects.toMatchObject({
      kind: 'unconfirmed',
      message: expect.stringMatching(/^m: /) as string,
    });
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it('nor when a replacement took over without an outage', async () => {
    const { ddp, link } = await connected();
    const call = ddp.apply('m', [], { retry: false });
    await link.open();
    expect(await state(call)).toBe('!unconfirmed');
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it('not sent yet, it goes out on the next connection', async () => {
    const { ddp, link } = world();
    const call = ddp.apply('m', [], { retry: false });
    link.down();
    await link.connect();
    const id = link.id('m');
    link.receive(result(id, 1), updated(id));
    expect(await state(call)).toBe(1);
    ddp.close();
  });

  it('nor was it sent while the connection was suspect', async () => {
    const { ddp, link } = await connected();
    link.suspect();
    const call = ddp.apply('m', [], { retry: false });
    link.down();
    expect(await state(call)).toBe('pending');
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'method m()']);
    ddp.close();
    expect(await state(call)).toBe('!closed');
  });

  it.each([true, false])(
    'answered but not updated: not sent again, resolved with the documents (retry %s)',
    async (retry) => {
      const { ddp, link } = await connected();
      const log = watch(ddp);
      ddp.subscribe('s');
      link.receive(ready('1'));
      const call = ddp.apply('m', [], { retry });
      link.receive(result(link.id('m'), 'r'));
      link.down();
      expect(await state(call)).toBe('pending');
      await link.connect();
      expect(link.sent()).toEqual(['connect 1', 'sub s()']);
      link.receive(added('x'));
      expect(await state(call)).toBe('pending');
      link.receive(ready('1'));
      expect(look(log)).toBe('+x');
      expect(await state(call)).toBe('r');
      ddp.close();
    },
  );

  it('an `updated` of the old connection does not count on the new one', async () => {
    const { ddp, link } = await connected();
    const call = ddp.call('m');
    const id = link.id('m');
    link.receive(updated(id));
    link.down();
    await link.connect();
    link.receive(result(id, 1));
    expect(await state(call)).toBe('pending');
    link.receive(updated(id));
    expect(await state(call)).toBe(1);
    ddp.close();
  });

  it('while data is held back, a call resolves only when it is visible', async () => {
    const { ddp, link } = await connected();
    const log = watch(ddp);
    ddp.subscribe('s');
    link.receive(ready('1'));
    link.down();
    const call = ddp.call('add').then((value) => log.push(String(value)));
    await link.connect();
    const id = link.id('add');
    link.receive(added('new'), result(id, 'done'), updated(id));
    await vi.advanceTimersByTimeAsync(0);
    expect(look(log)).toBe('');
    link.receive(ready('1'));
    await call;
    expect(look(log)).toBe('+new done');
    ddp.close();
  });

  it('an error rejects at once even while data is held back', async () => {
    const { ddp, link } = await connected();
    ddp.subscribe('s');
    link.receive(ready('1'));
    link.down();
    const call = ddp.call('m');
    await link.connect();
    link.receive(failed(link.id('m'), { error: 1 }));
    expect(await state(call)).toBe('!server');
    ddp.close();
  });
});

describe('limits', () => {
  it('timeoutMs: an own one, the default, none', async () => {
    const { ddp, link } = world({ callTimeoutMs: 1_000 });
    const own = ddp.apply('own', [], { timeoutMs: 200 });
    const common = ddp.call('common');
    const endless = ddp.apply('endless', [], { timeoutMs: Infinity });
    const states = () => Promise.all([own, common, endless].map(state));
    await vi.advanceTimersByTimeAsync(199);
    expect(await states()).toEqual(['pending', 'pending', 'pending']);
    await vi.advanceTimersByTimeAsync(1);
    expect(await states()).toEqual(['!timeout', 'pending', 'pending']);
    await link.open();
    // What nobody waits for any more is not sent.
    expect(link.sent()).toEqual(['connect 1', 'method common()', 'method endless()']);
    await vi.advanceTimersByTimeAsync(800);
    expect(await states()).toEqual(['!timeout', '!timeout', 'pending']);
    ddp.close();
    expect(await states()).toEqual(['!timeout', '!timeout', '!closed']);
  });

  it('the default is a minute', async () => {
    const { ddp } = world();
    const call = ddp.call('m');
    await vi.advanceTimersByTimeAsync(59_999);
    expect(await state(call)).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(await state(call)).toBe('!timeout');
  });

  it('signal: before, while waiting, and not after', async () => {
    const { ddp, link } = world();
    const dead = AbortSignal.abort('why');
    await expect(ddp.apply('m', [], { signal: dead })).rejects.toMatchObject({
      kind: 'aborted',
      cause: 'why',
    });
    const abort = new AbortController();
    const removed = vi.spyOn(abort.signal, 'removeEventListener');
    const call = ddp.apply('m', [], { signal: abort.signal });
    abort.abort();
    expect(await state(call)).toBe('!aborted');
    expect(removed).toHaveBeenCalledTimes(1);
    await link.connect();
    expect(link.sent()).toEqual(['connect 1']);

    const late = new AbortController();
    const done = ddp.apply('m', [], { signal: late.signal });
    const id = link.id('m');
    link.receive(result(id, 1), updated(id));
    late.abort();
    expect(await state(done)).toBe(1);
    ddp.close();
  });

  it.each([0, -1, NaN, '1', 2 ** 31, null])('timeoutMs %s is refused', async (timeoutMs) => {
    const { ddp } = world();
    const call = ddp.apply('m', [], { timeoutMs: timeoutMs as number });
    await expect(call).rejects.toThrow(/^options\.timeoutMs: /);
    await expect(call).rejects.toBeInstanceOf(RangeError);
    ddp.close();
  });

  it('parameters that fit into no frame reject, and leave nothing behind', async () => {
    const { ddp, link } = await connected();
    const circle: unknown[] = [];
    circle.push(circle);
    await expect(ddp.call('m', circle)).rejects.toBeInstanceOf(RangeError);
    await expect(ddp.call('m', 5n)).rejects.toBeInstanceOf(RangeError);
    expect(() => ddp.subscribe('s', circle)).toThrow(RangeError);
    expect(link.sent()).toEqual([]);
    ddp.close();
  });

  it('what waits for a connection is bounded, by number', async () => {
    const { ddp, link } = world({ queue: { maxMessages: 2 } });
    const calls = [ddp.call('a'), ddp.call('b'), ddp.call('c')];
    expect(await Promise.all(calls.map(state))).toEqual(['pending', 'pending', '!overflow']);
    await link.connect();
    // On a live connection nothing waits here.
    const more = [ddp.call('c'), ddp.call('d')];
    expect(await Promise.all(more.map(state))).toEqual(['pending', 'pending']);
    link.down();
    // Lost with their connection, all four wait again; they were accepted and are kept.
    expect(await state(ddp.call('e'))).toBe('!overflow');
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'method a()', 'method b()', 'method c()', 'method d()']);
    ddp.close();
    await Promise.allSettled([...calls, ...more]);
  });

  it('and by bytes', async () => {
    const { ddp } = world({ queue: { maxBytes: 150 } });
    const calls = [ddp.call('a', 'x'.repeat(50)), ddp.call('b', 'ä'.repeat(50))];
    expect(await Promise.all(calls.map(state))).toEqual(['pending', '!overflow']);
    ddp.close();
    await Promise.allSettled(calls);
  });
});
