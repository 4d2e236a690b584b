import { describe, expect, it } from 'vitest';
import { EJSON } from '../../../src/ddp/index.ts';
import { fromWire, toWire, equals } from '../../../src/ddp/ejson.ts';
import { encode, isPong, parseMessage, PING } from '../../../src/ddp/messages.ts';

describe('frames from the server', () => {
  const doc = { collection: 'c', id: 'x' };
  it.each<[string, object, object]>([
    ['connected', { msg: 'connected', session: 's' }, { msg: 'connected' }],
    ['failed', { msg: 'failed', version: 'pre1' }, { msg: 'failed', version: 'pre1' }],
    ['ping', { msg: 'ping' }, { msg: 'ping', id: undefined }],
    ['ping with id', { msg: 'ping', id: '7' }, { msg: 'ping', id: '7' }],
    ['pong', { msg: 'pong', id: '7' }, { msg: 'ignored' }],
    [
      'added',
      { msg: 'added', ...doc, fields: { a: 1 } },
      { msg: 'added', ...doc, fields: { a: 1 }, cleared: [] },
    ],
    ['added without fields', { msg: 'added', ...doc }, { msg: 'added', ...doc, fields: {}, cleared: [] }],
    [
      'addedBefore, behind all',
      { msg: 'addedBefore', ...doc, before: null },
      { msg: 'addedBefore', ...doc, fields: {}, cleared: [], before: null },
    ],
    [
      'movedBefore, in front of a number',
      { msg: 'movedBefore', ...doc, before: '~5' },
      { msg: 'movedBefore', ...doc, fields: {}, cleared: [], before: 5 },
    ],
    [
      'changed',
      { msg: 'changed', ...doc, cleared: ['a'] },
      { msg: 'changed', ...doc, fields: {}, cleared: ['a'] },
    ],
    ['removed', { msg: 'removed', ...doc }, { msg: 'removed', ...doc, fields: {}, cleared: [] }],
    ['ready', { msg: 'ready', subs: ['1', '2'] }, { msg: 'ready', ids: ['1', '2'] }],
    ['updated', { msg: 'updated', methods: ['1'] }, { msg: 'updated', ids: ['1'] }],
    [
      'result',
      { msg: 'result', id: '1', result: 5 },
      { msg: 'result', id: '1', error: undefined, result: 5 },
    ],
    ['nosub', { msg: 'nosub', id: '1' }, { msg: 'nosub', id: '1', error: undefined }],
    ['error', { msg: 'error', reason: 'why' }, { msg: 'error', reason: '"why"', offending: {} }],
    [
      'error about a message',
      { msg: 'error', reason: 'why', offendingMessage: { msg: 'sub', id: '1' } },
      { msg: 'error', reason: '"why"', offending: { msg: 'sub', id: '1' } },
    ],
    ['error without reason', { msg: 'error', reason: 5 }, { msg: 'error', reason: '5', offending: {} }],
    ['the greeting of old', { server_id: '0' }, { msg: 'ignored' }],
    ['a node notice', { msg: 'node', id: 'a' }, { msg: 'ignored' }],
    ['a drain notice', { msg: 'drain', afterMs: 1 }, { msg: 'ignored' }],
    ['something new', { msg: 'novel' }, { msg: 'unknown', name: 'novel' }],
    ['the name of a prototype member', { msg: 'toString' }, { msg: 'unknown', name: 'toString' }],
  ])('%s', (_name, frame, message) => {
    expect(parseMessage(JSON.stringify(frame))).toEqual(message);
  });

  it.each<[string, object]>([
    ['connected', { session: 's' }],
    ['failed', { version: 'pre1' }],
    ['ping', { id: '7' }],
    ['pong', {}],
    ['added', { ...doc, fields: { a: 1 } }],
    ['changed', { ...doc, fields: { a: 1 }, cleared: ['b'] }],
    ['removed', doc],
    ['addedBefore', { ...doc, before: null }],
    ['movedBefore', { ...doc, before: 'y' }],
    ['ready', { subs: ['1'] }],
    ['updated', { methods: ['1'] }],
    ['result', { id: '1', result: 5 }],
    ['nosub', { id: '1' }],
    ['error', { reason: 'why' }],
  ])('fields of %s that DDP does not name are ignored', (msg, frame) => {
    const more = { novel: { $date: 'no date' }, constructor: { prototype: {} }, session: 5, server_id: 5 };
    expect(parseMessage(JSON.stringify({ ...more, msg, ...frame }))).toEqual(
      parseMessage(JSON.stringify({ msg, ...frame })),
    );
  });

  it.each<[string, unknown]>([
    ['no text', new ArrayBuffer(3)],
    ['no JSON', '{"msg":'],
    ['no object', 'null'],
    ['an array', '[]'],
    ['msg is no text', '{"msg":5}'],
    ['no id', '{"msg":"removed","collection":"c"}'],
    ['a number as collection', '{"msg":"removed","collection":5,"id":"x"}'],
    ['fields are no object', '{"msg":"added","collection":"c","id":"x","fields":[1]}'],
    ['cleared is no list', '{"msg":"changed","collection":"c","id":"x","cleared":"a"}'],
    ['cleared holds no text', '{"msg":"changed","collection":"c","id":"x","cleared":[{}]}'],
    ['ready without subs', '{"msg":"ready"}'],
    ['updated with a number', '{"msg":"updated","methods":[1]}'],
    ['result without id', '{"msg":"result"}'],
    ['ping with a number', '{"msg":"ping","id":1}'],
    ['failed without version', '{"msg":"failed"}'],
    ['a wrapped id that is no JSON', '{"msg":"removed","collection":"c","id":"~{"}'],
    [
      'a pattern that does not compile',
      '{"msg":"added","collection":"c","id":"x","fields":{"a":{"$regexp":"(","$flags":""}}}',
    ],
    [
      'deeper than any document',
      `{"msg":"added","collection":"c","id":"x","fields":{"a":${'['.repeat(300)}${']'.repeat(300)}}}`,
    ],
    [
      'very deep',
      `{"msg":"added","collection":"c","id":"x","fields":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
    ],
  ])('malformed: %s', (_name, data) => {
    const message = parseMessage(data);
    expect(message.msg).toBe('malformed');
    expect(message).toMatchObject({ error: { kind: 'malformed', name: 'FailoverError' } });
    if (message.msg === 'malformed') {
      expect(message.error.message.length).toBeLessThan(250);
      expect(message.error.cause).toBeInstanceOf(Error);
    }
  });

  it.each<[string, string | number | boolean]>([
    ['abc', 'abc'],
    ['-abc', 'abc'],
    ['--', '-'],
    ['-', ''],
    ['', ''],
    ['-~5', '~5'],
    ['~5', 5],
    ['~true', true],
    ['~{"a":1}', '~{"a":1}'],
    ['~null', '~null'],
    ['507f1f77bcf86cd799439011', '507f1f77bcf86cd799439011'],
    ['__proto__', '__proto__'],
  ])('id %s on the wire is %s', (wire, id) => {
    expect(parseMessage(encode({ msg: 'removed', collection: 'c', id: wire }))).toMatchObject({
      msg: 'removed',
      id,
    });
  });

  it.each<[string, unknown, object]>([
    [
      'a Meteor.Error',
      {
        isClientSafe: true,
        error: 'no-way',
        reason: 'Because',
        message: 'Because [no-way]',
        details: { a: 1 },
      },
      { kind: 'server', code: 'no-way', reason: 'Because', details: { a: 1 }, message: 'Because [no-way]' },
    ],
    [
      'a number',
      { error: 404 },
      { code: 404, reason: undefined, message: 'The server answered with an error and gave no reason [404]' },
    ],
    ['reason only', { reason: 'r' }, { code: 'unknown', message: 'r [unknown]' }],
    [
      'no object',
      'boo',
      { code: 'boo', message: 'The server answered with an error and gave no reason [boo]' },
    ],
    ['null', null, { code: 'unknown' }],
    ['nonsense', { error: {}, reason: [], message: 5 }, { code: 'unknown', reason: undefined }],
  ])('an error of the server: %s', (_name, error, expected) => {
    const message = parseMessage(JSON.stringify({ msg: 'result', id: '1', error }));
    expect(message).toMatchObject({ msg: 'result', id: '1', error: { name: 'DDPError', ...expected } });
  });

  it('knows the reply to its own ping only', () => {
    expect(JSON.parse(PING)).toEqual({ msg: 'ping' });
    expect(['{"msg":"pong"}', '{"msg":"pong","id":"1"}', '{"msg":"ping"}', undefined].map(isPong)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('EJSON', () => {
  const binary = new Uint8Array([0, 1, 254, 255]);
  class Money {
    constructor(readonly cents: number) {}
    typeName() {
      return 'money';
    }
    toJSONValue() {
      return { cents: this.cents };
    }
  }
  EJSON.addType('money', (value) => new Money((value as { cents: number }).cents));

  it.each<[string, unknown, unknown]>([
    ['date', new Date(86_400_000), { $date: 86_400_000 }],
    ['binary', binary, { $binary: 'AAH+/w==' }],
    ['pattern', /a\/b/gi, { $regexp: 'a\\/b', $flags: 'gi' }],
    ['infinity', Infinity, { $InfNaN: 1 }],
    ['below everything', -Infinity, { $InfNaN: -1 }],
    ['not a number', NaN, { $InfNaN: 0 }],
    ['own type', new Money(5), { $type: 'money', $value: { cents: 5 } }],
    ['own type, nested', { a: [new Money(5)] }, { a: [{ $type: 'money', $value: { cents: 5 } }] }],
    ['what looks like a date', { $date: 5 }, { $escape: { $date: 5 } }],
    ['escaped, with a real date in it', { $date: new Date(5) }, { $escape: { $date: { $date: 5 } } }],
    [
      'what looks like an escape',
      { $escape: { $date: 5 } },
      { $escape: { $escape: { $escape: { $date: 5 } } } },
    ],
    ['an operator', { $set: { a: new Date(1) } }, { $set: { a: { $date: 1 } } }],
    [
      'the key the package stumbles over',
      { callee: 'x', at: new Date(1) },
      { callee: 'x', at: { $date: 1 } },
    ],
    ['that key beside a wrapper', [{ callee: 1 }, new Date(1)], [{ callee: 1 }, { $date: 1 }]],
    ['plain', { a: [1, 'b', null, true, {}] }, { a: [1, 'b', null, true, {}] }],
  ])('%s', (_name, value, json) => {
    expect(toWire(value, 'it')).toEqual(json);
    const text = JSON.stringify(json);
    expect(fromWire(JSON.parse(text))).toEqual(value);
  });

  it('keeps the order of keys, both ways', () => {
    const keys = (value: unknown) => Object.keys(value as object).join('');
    const text = '{"z":{"$date":1},"a":{"$escape":{"y":1,"$date":2,"b":{"$InfNaN":0}}},"m":null}';
    const value = fromWire(JSON.parse(text)) as { a: object };
    expect([keys(value), keys(value.a)]).toEqual(['zam', 'y$dateb']);
    const json = toWire({ z: 1, a: { $binary: { y: 1, b: 2 } }, m: new Date(1) }, 'it');
    expect(JSON.stringify(json)).toBe('{"z":1,"a":{"$escape":{"$binary":{"y":1,"b":2}}},"m":{"$date":1}}');
  });

  it('leaves what it is given alone, and follows no circle', () => {
    const params = Object.freeze([Object.freeze({ at: new Date(1), n: NaN })]);
    expect(toWire(params, 'it')).toEqual([{ at: { $date: 1 }, n: { $InfNaN: 0 } }]);
    const circle: unknown[] = [];
    circle.push(circle);
    expect(() => toWire(circle, 'it')).toThrow(RangeError);
  });

  it('carries what MongoDB may nest, and no more than twice that', () => {
    const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
    expect(() => fromWire(nested(200))).not.toThrow();
    expect(() => fromWire(nested(202))).toThrow(RangeError);
    expect(() => toWire(nested(200), 'it')).not.toThrow();
    expect(() => toWire(nested(202), 'it')).toThrow(RangeError);
  });

  it.each([
    ['__proto__', '{"a":{"__proto__":{"polluted":1},"b":2}}', '{"a":{"b":2}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"polluted":1}},"b":2}', '{"b":2}'],
    ['inside an escape', '{"a":{"$escape":{"__proto__":{"polluted":1},"b":2}}}', '{"a":{"b":2}}'],
    [
      'a constructor of cars',
      '{"constructor":"Lancia","prototype":"037"}',
      '{"constructor":"Lancia","prototype":"037"}',
    ],
  ])('drops only keys that reach a prototype: %s', (_name, text, left) => {
    const value = fromWire(JSON.parse(text)) as object;
    expect(JSON.stringify(value)).toBe(left);
    // The way of careless code: assignment of key after key.
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(value)) copy[key] = (value as Record<string, unknown>)[key];
    expect((copy as { polluted?: unknown }).polluted).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('cleans the inside of a wrapper too', () => {
    let got: unknown;
    EJSON.addType('raw', (value) => (got = value));
    fromWire(JSON.parse('{"$type":"raw","$value":{"__proto__":{"polluted":1},"d":{"$date":1}}}'));
    // The content of a type of one's own is raw JSON, as in Meteor.
    expect(JSON.stringify(got)).toBe('{"d":{"$date":1}}');
  });

  it('freezes on demand, all the way down', () => {
    const value = fromWire(JSON.parse('{"a":[{"b":{}}],"d":{"$date":1}}'), true) as {
      a: { b: object }[];
      d: Date;
    };
    expect([value, value.a, value.a[0], value.a[0]!.b].every(Object.isFrozen)).toBe(true);
    expect(Object.isFrozen(fromWire(JSON.parse('{"a":[]}')))).toBe(false);
  });
});

describe('whether two values are the same', () => {
  const bytes = (...values: number[]) => Uint8Array.from(values);
  it.each([
    ['NaN', NaN, NaN, true],
    ['key order', { a: 1, b: [2] }, { b: [2], a: 1 }, true],
    ['dates', new Date(5), new Date(5), true],
    ['other dates', new Date(5), new Date(6), false],
    ['an object and an array', {}, [], false],
    ['an object and a date', {}, new Date(5), false],
    ['an object with indices and an array', { 0: 'x' }, ['x'], false],
    ['other regular expressions', /a/, /b/, false],
    ['bytes', bytes(1, 2), bytes(1, 2), true],
    ['other bytes', bytes(1, 2), bytes(1, 3), false],
    ['null and undefined', null, undefined, false],
    ['a key that is missing and one that is undefined', { a: undefined }, { b: undefined }, false],
  ])('%s', (_, a, b, expected) => {
    expect(equals(a, b)).toBe(expected);
    expect(equals({ deep: [a] }, { deep: [b] })).toBe(expected);
  });
});
