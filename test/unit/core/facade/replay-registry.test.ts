import { describe, expect, test, vi } from 'vitest';
import type { QueueOptions } from '../../../../src/core/api/options.ts';
import type { Frame } from '../../../../src/core/api/frame.ts';
import { ReplayRegistry } from '../../../../src/core/facade/replay-registry.ts';
import { frameBytes } from '../../../../src/core/api/frame.ts';
import { createSendQueue } from '../../../../src/core/facade/send-queue.ts';

const bytes = (...values: number[]) => new Uint8Array(values);

describe('the size of a frame', () => {
  test.each<[string, Frame, number]>([
    ['text', 'abc', 3],
    ['text of two-byte characters', 'äö', 4],
    ['text beyond the first plane', '😀', 4],
    ['a lone surrogate, sent as U+FFFD', '\ud800', 3],
    ['nothing', '', 0],
    ['a buffer', bytes(1, 2, 3).buffer, 3],
    ['a view of part of a buffer', bytes(1, 2, 3, 4).subarray(1, 3), 2],
    ['a DataView', new DataView(new ArrayBuffer(8), 2, 4), 4],
    ['a Blob', new Blob(['äö']), 4],
  ])('%s', (_, frame, expected) => {
    expect(frameBytes(frame)).toBe(expected);
  });
});

test('the size of text needs only one of Blob and TextEncoder', () => {
  vi.stubGlobal('Blob', undefined);
  expect(frameBytes('äö')).toBe(4);
  vi.unstubAllGlobals();
  vi.stubGlobal('TextEncoder', undefined);
  expect(frameBytes('äö')).toBe(4);
  vi.unstubAllGlobals();
});

function queue(limits: Partial<QueueOptions> = {}) {
  const overflows: [messages: number, bytes: number][] = [];
  const of = createSendQueue({ maxBytes: 100, maxMessages: 10, overflow: 'throw', ...limits }, (...what) =>
    overflows.push(what),
  );
  const drain = () => {
    const frames: Frame[] = [];
    of.flush((frame) => (frames.push(frame), true));
    return frames;
  };
  return { of, overflows, drain };
}

describe('the queue', () => {
  test('keeps order and counts', () => {
    const { of, drain, overflows } = queue();
    of.push('a');
    of.push('öö');
    expect([of.messages, of.bytes]).toEqual([2, 5]);
    expect(drain()).toEqual(['a', 'öö']);
    expect([of.messages, of.bytes, overflows]).toEqual([0, 0, []]);
  });

  test('flushes as far as it may, and goes on there', () => {
    const { of, drain } = queue();
    for (const frame of ['a', 'b', 'c']) of.push(frame);
    let left = 2;
    expect(of.flush(() => left-- > 0)).toBe(2);
    expect([of.messages, of.bytes]).toEqual([1, 1]);
    of.push('d');
    expect(drain()).toEqual(['c', 'd']);
  });

  test('copies binary, so that it does not change while it waits', () => {
    const { of, drain } = queue();
    const view = bytes(1, 2, 3, 4);
    of.push(view.subarray(1, 3));
    of.push(view.buffer);
    of.push(new DataView(view.buffer, 3));
    view.fill(9);
    const [part, whole, last] = drain();
    expect(part).toEqual(bytes(2, 3));
    expect(new Uint8Array(whole as ArrayBuffer)).toEqual(bytes(1, 2, 3, 4));
    expect(last).toEqual(bytes(4));
  });

  test('a Blob cannot change and is kept', () => {
    const { of, drain } = queue();
    const blob = new Blob(['x']);
    of.push(blob);
    expect(drain()[0]).toBe(blob);
  });

  test.each<[string, Partial<QueueOptions>, string[], string]>([
    ['messages', { maxMessages: 2 }, ['a', 'b'], 'c'],
    ['bytes', { maxBytes: 4 }, ['ab', 'c'], 'de'],
    ['bytes of UTF-8', { maxBytes: 3 }, ['a'], 'öö'],
    ['nothing at all', { maxMessages: 0 }, [], ''],
  ])('full by %s: throws, tells, and loses nothing that waited', (_, limits, before, refused) => {
    const { of, drain, overflows } = queue(limits);
    for (const frame of before) of.push(frame);
    const push = () => of.push(refused);
    expect(push).toThrow(expect.objectContaining({ name: 'FailoverError', kind: 'overflow' }));
    expect(overflows).toEqual([[1, frameBytes(refused)]]);
    expect(push).toThrow(`which holds ${before.length} of `);
    expect(push).toThrow(`The frame of ${frameBytes(refused)} bytes does not fit`);
    expect(drain()).toEqual(before);
  });

  test('exactly full is not too full', () => {
    const { of, drain, overflows } = queue({ maxBytes: 4, maxMessages: 2 });
    of.push('ab');
    of.push('cd');
    expect(overflows).toEqual([]);
    expect(drain()).toEqual(['ab', 'cd']);
  });

  test('drop-oldest: as many of the oldest as needed, told once', () => {
    const { of, drain, overflows } = queue({ maxBytes: 5, maxMessages: 3, overflow: 'drop-oldest' });
    for (const frame of ['a', 'bb', 'c']) of.push(frame);
    of.push('dddd');
    expect([of.messages, of.bytes]).toEqual([2, 5]);
    expect(overflows).toEqual([[2, 3]]);
    expect(drain()).toEqual(['c', 'dddd']);
  });

  test('drop-oldest by number of messages', () => {
    const { of, drain, overflows } = queue({ maxMessages: 2, overflow: 'drop-oldest' });
    for (const frame of ['a', 'b', 'c', 'd']) of.push(frame);
    expect(overflows).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(drain()).toEqual(['c', 'd']);
  });

  test.each<[string, Partial<QueueOptions>]>([
    ['larger than the queue', { maxBytes: 2 }],
    ['no queue', { maxMessages: 0 }],
  ])('drop-oldest cannot help (%s): throws and drops nothing', (_, limits) => {
    const { of, drain } = queue({ ...limits, overflow: 'drop-oldest' });
    if (limits.maxMessages !== 0) of.push('a');
    expect(() => of.push('abc')).toThrow(expect.objectContaining({ kind: 'overflow' }));
    expect(drain()).toEqual(limits.maxMessages === 0 ? [] : ['a']);
  });

  test('clear says how many are lost', () => {
    const { of, drain } = queue();
    of.push('a');
    of.push('b');
    expect(of.clear()).toBe(2);
    expect([of.messages, of.bytes, drain()]).toEqual([0, 0, []]);
  });

  test('a frame that could not be sent is not lost, nor are those behind it', () => {
    const { of, drain } = queue();
    for (const frame of ['a', 'b', 'c']) of.push(frame);
    expect(() =>
      of.flush((frame) => {
        if (frame === 'b') throw new Error('socket');
        return true;
      }),
    ).toThrow('socket');
    const left = drain();
    expect(left.slice(-2)).toEqual(['b', 'c']);
  });
});

describe('the registry', () => {
  test('is a Map that says what was set', () => {
    const set: unknown[] = [];
    const registry = new ReplayRegistry((key) => set.push(key));
    const late = () => 'late';
    expect(registry.set('a', 'A').set('b', late).set('a', 'A2')).toBe(registry);
    expect(set).toEqual(['a', 'b', 'a']);
    // Setting a key again keeps its place.
    expect([...registry]).toEqual([
      ['a', 'A2'],
      ['b', late],
    ]);
    expect([...registry.entries()]).toEqual([...registry]);
    expect([registry.size, registry.has('a'), registry.get('a'), registry.get('x')]).toEqual([
      2,
      true,
      'A2',
      undefined,
    ]);
    expect([registry.delete('a'), registry.delete('a'), registry.size]).toEqual([true, false, 1]);
    registry.clear();
    expect([registry.size, set.length]).toEqual([0, 3]);
  });

  test('copies binary', () => {
    const registry = new ReplayRegistry(() => {});
    const view = bytes(1, 2);
    registry.set('a', view);
    view.fill(9);
    expect(registry.get('a')).toEqual(bytes(1, 2));
  });

  test.each<[string, unknown, string]>([
    ['an object', { subscribe: 'news' }, '[object Object]'],
    ['nothing', undefined, 'undefined'],
    ['a number', 5, '5'],
  ])('refuses %s, and says what to do', (_, entry, shown) => {
    const set: unknown[] = [];
    const registry = new ReplayRegistry((key) => set.push(key));
    expect(() => registry.set('news', entry as string)).toThrow(
      new RangeError(
        `subscriptions.set: expected a frame (text or binary), or a function that returns one, got ${shown}. Turn an object into text with JSON.stringify.`,
      ),
    );
    expect([registry.size, set.length]).toEqual([0, 0]);
  });
});
