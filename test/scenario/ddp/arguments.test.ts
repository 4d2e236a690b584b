import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  DDPClient,
  DDPError,
  FailoverError,
  isFailoverError,
  ObjectID,
  type ApplyOptions,
  type DDPOptions,
  type Document,
} from '../../../src/ddp/index.ts';
import { FakeLink, look, ready, result, state, updated, watch, world } from '../../support/ddp-harness.ts';

// What an app hands over by mistake is named at once, where it was handed over.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const rangeError = (message: string) =>
  expect.objectContaining({ name: 'RangeError', message: expect.stringContaining(message) as string });

describe('a call rejects, is not sent, and names', () => {
  it.each<[what: string, options: unknown]>([
    ['options: expected retry, timeoutMs, signal, randomSeed, wait, got "timeoutMS"', { timeoutMS: 5 }],
    ['options: expected an object, got null', null],
    ['options: expected an object, got "retry"', 'retry'],
    ['options.retry: expected true or false, got "no"', { retry: 'no' }],
    ['options.wait: expected true or false, got 1', { wait: 1 }],
    ['options.randomSeed: expected a string, got 5', { randomSeed: 5 }],
    ['options.signal: expected an AbortSignal, got [object Object]', { signal: {} }],
    [
      'options.signal: expected an AbortSignal, got [object AbortController]',
      { signal: new AbortController() },
    ],
    ['options.timeoutMs: expected a number from 1 to 2147483647, or Infinity, got 0', { timeoutMs: 0 }],
    [
      'options.timeoutMs: expected a number from 1 to 2147483647, or Infinity, got soon',
      { timeoutMs: ['soon'] },
    ],
  ])('%s', async (what, options) => {
    const { ddp, link } = world();
    await link.connect();
    await expect(ddp.apply('m', [], options as ApplyOptions)).rejects.toEqual(rangeError(what));
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it.each<[what: string, call: (ddp: DDPClient<FakeLink>) => Promise<unknown>]>([
    ['params: expected an array, got "x"', (ddp) => ddp.apply('m', 'x' as never)],
    ['params: expected an array, got null', (ddp) => ddp.apply('m', null as never)],
    ['method: expected a string, got undefined', (ddp) => ddp.call(undefined as never)],
    ['credentials: expected an object, got null', (ddp) => ddp.login(null)],
    ['credentials: expected an object, got "token"', (ddp) => ddp.login('token')],
    ['password: expected a string, got undefined', (ddp) => ddp.loginWithPassword('u', undefined as never)],
    ['user: expected an object, got undefined', (ddp) => ddp.loginWithPassword(undefined as never, 'p')],
  ])('%s', async (what, call) => {
    const { ddp, link } = world();
    await link.connect();
    await expect(call(ddp)).rejects.toEqual(rangeError(what));
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it('options that are undefined are as good as none', async () => {
    const { ddp, link } = world();
    await link.connect();
    const options = { retry: undefined, signal: undefined, timeoutMs: undefined, wait: undefined };
    const call = ddp.apply('m', undefined, options as unknown as ApplyOptions);
    const id = link.id('m');
    link.receive(result(id, 1), updated(id));
    expect(await state(call)).toBe(1);
    ddp.close();
  });
});

describe('a client is refused', () => {
  it.each<[what: string, options: unknown]>([
    ['options: expected an object, got null', null],
    ['options: expected an object, got "fast"', 'fast'],
    ['options.tokenKey: expected a string, got 5', { tokenKey: 5 }],
    [
      'options.tokenStorage: expected a Storage with getItem, setItem and removeItem, got null',
      { tokenStorage: null },
    ],
    ['options.tokenStorage: expected a Storage', { tokenStorage: { getItem() {}, setItem() {} } }],
    [
      'quiescenceTimeoutMs: expected a number from 1 to 2147483647, got Infinity',
      { quiescenceTimeoutMs: Infinity },
    ],
    ['callTimeoutMs: expected a number from 1 to 2147483647, or Infinity, got -1', { callTimeoutMs: -1 }],
    ['callTimeoutMs, tokenStorage, tokenKey, got "callTimeoutMS"', { callTimeoutMS: 5 }],
    [
      'heartbeat: expected message, isReply, required, expectEveryMs, got "isreply"',
      { heartbeat: { message: 'p', isreply() {} } },
    ],
    ['queue: expected maxBytes, maxMessages, overflow, got "max"', { queue: { max: 5 } }],
    ['probe: expected url, crossOrigin, timeoutMs, got "timeout"', { probe: { timeout: 5 } }],
  ])('%s', (what, options) => {
    const make = () =>
      new DDPClient('ws://127.0.0.1/', options as DDPOptions, (_, rest) => new FakeLink(rest));
    expect(make).toThrow(rangeError(what));
  });
});

describe('what EJSON has no form for is refused, with its place', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  class Circle {
    constructor(readonly radius: number) {}
  }
  it.each<[place: string, param: unknown]>([
    ['params[0]: expected a value of EJSON', () => 1],
    ['params[0].list[1].then', { list: [1, { then() {} }] }],
    [
      'params[0]: expected a value of EJSON (JSON, dates, binary data, registered types), at most 200 levels deep, got Symbol(s)',
      Symbol('s'),
    ],
    [
      'params[0].n: expected a value of EJSON (JSON, dates, binary data, registered types), at most 200 levels deep, got 5',
      { n: 5n },
    ],
    [
      'params[0].tags: expected a value of EJSON (JSON, dates, binary data, registered types), at most 200 levels deep, got [object Set]',
      { tags: new Set(['a']) },
    ],
    ['got [object Map]', new Map([['a', 1]])],
    ['got [object ArrayBuffer]', new ArrayBuffer(4)],
    ['params[0]', new Float64Array([1, 2])],
    ['got [object DataView]', new DataView(new ArrayBuffer(4))],
    ['got Invalid Date', new Date(NaN)],
    ['got [object Promise]', Promise.resolve(1)],
    ['got Error: x', new Error('x')],
    ['params[0].self.self', circle],
  ])('%s', async (place, param) => {
    const { ddp, link } = world();
    await link.connect();
    await expect(ddp.call('m', param)).rejects.toEqual(rangeError(place));
    if (typeof param !== 'function') expect(() => ddp.subscribe('s', param)).toThrow(rangeError(place));
    expect(() => ddp.subscribe('s', () => param)).toThrow(rangeError(place));
    expect(() => ddp.collection('c').find({ field: param })).toThrow(
      rangeError(place.replace(/params\[0]/, 'filter.field')),
    );
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it('what JSON carries is carried: fields of instances, undefined as in JSON', async () => {
    const { ddp, link } = world();
    await link.connect();
    void ddp.call('m', new Circle(2), { a: undefined }, [undefined], Object.create(null)).catch(() => {});
    expect(link.sent()).toEqual(['connect 1', 'method m({"radius":2},{},[null],{})']);
    ddp.close();
  });
});

it('options in the place of the function that makes the link: the error says where they belong', () => {
  const make = () => new DDPClient('wss://example.org/websocket', undefined, { policy: 'fast' } as never);
  expect(make).toThrow(
    rangeError(
      'connect: expected a function that makes the link, such as overSockjs, got [object Object]. Options are the second',
    ),
  );
});

describe('callbacks and names are checked where they are given', () => {
  it.each<[what: string, give: (ddp: DDPClient<FakeLink>) => unknown]>([
    ['observer: expected added', (ddp) => ddp.collection('c').observe(undefined as never)],
    ['observer: expected added', (ddp) => ddp.collection('c').observe({ add() {} } as never)],
    ['observer: expected added', (ddp) => ddp.collection('c').observe({ added() {}, changed: 5 } as never)],
    [
      'listener: expected a function, got undefined',
      (ddp) => ddp.collection('c').subscribe(undefined as never),
    ],
    ['filter: expected an object, got 5', (ddp) => ddp.collection('c').find(5 as never)],
    ['name: expected a string, got undefined', (ddp) => ddp.collection(undefined as never)],
    ['name: expected a string, got undefined', (ddp) => ddp.subscribe(undefined as never)],
    ['name: expected a string, got 5', (ddp) => ddp.subscribe(5 as never)],
    ['hook: expected a function, got 5', (ddp) => ddp.onReconnect(5 as never)],
    ['hook: expected a function, got undefined', (ddp) => ddp.onReconnect(undefined as never)],
    ['hex: expected 24 hex digits, got "5"', () => new ObjectID('5')],
    ['hex: expected 24 hex digits, got undefined', () => new ObjectID(undefined as never)],
  ])('%s', (what, give) => {
    const { ddp } = world();
    expect(() => give(ddp)).toThrow(rangeError(what));
    ddp.close();
  });

  it.each(['error', 'warning'] as const)('a listener of %s: a function, twice is twice', async (event) => {
    const { ddp, link } = world();
    expect(() => ddp.on(event, 5 as never)).toThrow(TypeError);
    const heard: string[] = [];
    const listener = () => heard.push('heard');
    ddp
      .on(event, listener)
      .on(event, listener)
      .once(event, () => heard.push('once'));
    await link.connect();
    const frame = event === 'error' ? 'no JSON' : { msg: 'news' };
    link.receive(frame, frame);
    expect(look(heard)).toBe('heard heard once heard heard');
    ddp.off(event, listener);
    link.receive(frame);
    expect(look(heard)).toBe('');
    ddp.close();
  });
});

describe('a parameter that is a function', () => {
  it('is asked once for each connection it is sent on', async () => {
    const { ddp, link } = world();
    let asked = 0;
    ddp.subscribe('s', () => ++asked);
    await link.connect();
    expect(link.sent()).toEqual(['connect 1', 'sub s(1)']);
    link.receive(ready('1'));
    link.down();
    await link.connect();
    expect(link.sent()).toEqual(['connect 1', 'sub s(2)']);
    ddp.close();
  });
});

describe('ObjectID', () => {
  it('is its digits in JSON and as text, in lower case', () => {
    const id = new ObjectID('0123456789ABCDEF01234567');
    const hex = '0123456789abcdef01234567';
    expect([
      id.toHexString(),
      String(id),
      JSON.parse(JSON.stringify({ id })),
      id.equals(new ObjectID(hex)),
    ]).toEqual([hex, hex, { id: hex }, true]);
  });

  it('a bad one from the server stays as it is on the wire', async () => {
    const { ddp, link } = world();
    await link.connect();
    const log = watch(ddp);
    link.receive({ msg: 'added', collection: 'c', id: 'a', fields: { of: { $type: 'oid', $value: 'x' } } });
    expect([look(log), ddp.collection('c').get('a')?.of]).toEqual(['+a', { $type: 'oid', $value: 'x' }]);
    ddp.close();
  });
});

describe('types and exports', () => {
  it('errors can be told apart with what this entry exports', async () => {
    const { ddp, link } = world();
    const call = ddp.call('m');
    await link.connect();
    link.receive({ msg: 'result', id: link.id('m'), error: { error: 404 } });
    const error = await call.catch((error: unknown) => error);
    expect([isFailoverError(error), error instanceof FailoverError, error instanceof DDPError]).toEqual([
      true,
      true,
      true,
    ]);
    ddp.close();
  });

  it('ids are what the server may send, or what the app says they are', () => {
    const text = (doc: Document<{ _id: string }>): string => doc._id;
    // @ts-expect-error It may be a number.
    const wrong = (doc: Document<{ n: number }>): string => doc._id;
    expect(text({ _id: 'a' })).toBe(wrong({ _id: 'a', n: 1 }));
  });
});

describe('how much may be lost', () => {
  it('is asked when a connection is given up: calls that are not sent again, nothing else', async () => {
    const { ddp, link } = world();
    await link.connect();
    ddp.subscribe('s');
    const calls = [
      ddp.call('again'),
      ddp.apply('once', [], { retry: false }),
      ddp.apply('answered', [], { retry: false }),
    ];
    const id = link.id('answered');
    link.receive(result(id, 1), updated(id));
    expect(link.options.layer!.unconfirmed!()).toBe(1);
    link.down();
    expect(await Promise.all(calls.map(state))).toEqual(['pending', '!unconfirmed', 1]);
    ddp.close();
    await Promise.allSettled(calls);
  });
});
