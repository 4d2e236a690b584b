import { expect, test } from 'vitest';
import { parseNotice } from '../../../../src/core/rules/notices.ts';

const drain = (fields: object) => JSON.stringify({ msg: 'drain', ...fields });

test.each([
  ['a node', '{"msg":"node","id":"node-1"}', { msg: 'node', id: 'node-1', spreadMs: 0 }],
  ['a node with more in it', '{"msg":"node","id":"a","since":1}', { msg: 'node', id: 'a', spreadMs: 0 }],
  [
    'a node that says how widely to spread',
    '{"msg":"node","id":"a","spreadMs":800.5}',
    { msg: 'node', id: 'a', spreadMs: 800.5 },
  ],
  [
    'a spread of hours: cut to a minute',
    '{"msg":"node","id":"a","spreadMs":1e999}',
    { msg: 'node', id: 'a', spreadMs: 60_000 },
  ],
  [
    'a spread that is no time: none',
    '{"msg":"node","id":"a","spreadMs":"9"}',
    { msg: 'node', id: 'a', spreadMs: 0 },
  ],
  ['a bare drain', '{"msg":"drain"}', { msg: 'drain', afterMs: 0, spreadMs: 0, url: undefined }],
  ['a drain', drain({ afterMs: 5_000, spreadMs: 3_000 }), { msg: 'drain', afterMs: 5_000, spreadMs: 3_000 }],
  [
    'a spread that ends after the node has gone: cut to it',
    drain({ afterMs: 5_000, spreadMs: 9_000 }),
    { msg: 'drain', afterMs: 5_000, spreadMs: 5_000 },
  ],
  [
    'a spread longer than the node serves on: none',
    drain({ spreadMs: 1e9 }),
    { msg: 'drain', afterMs: 0, spreadMs: 0 },
  ],
  [
    'an endless drain: cut to ten minutes',
    '{"msg":"drain","afterMs":1e999,"spreadMs":1e300}',
    { msg: 'drain', afterMs: 600_000, spreadMs: 600_000 },
  ],
  [
    'negative times: none',
    '{"msg":"drain","afterMs":-5,"spreadMs":-1}',
    { msg: 'drain', afterMs: 0, spreadMs: 0 },
  ],
  [
    'times of the wrong type: none',
    '{"msg":"drain","afterMs":"5","spreadMs":[1]}',
    { msg: 'drain', afterMs: 0, spreadMs: 0 },
  ],
  [
    'a drain that says where to go',
    drain({ afterMs: 1_000, url: 'wss://b.example/ws' }),
    { msg: 'drain', afterMs: 1_000, spreadMs: 0, url: 'wss://b.example/ws' },
  ],
  [
    'a place that is no text: none',
    drain({ url: ['wss://b.example/ws'] }),
    { msg: 'drain', afterMs: 0, spreadMs: 0, url: undefined },
  ],
])('%s is understood', (_, data, notice) => {
  expect(parseNotice(data)).toEqual(notice);
});

test.each([
  ['text', 'hello'],
  ['nothing', ''],
  ['another message', '{"msg":"ping"}'],
  ['a message that begins like one', '{"msg":"drainage"}'],
  ['a notice inside something else', '{"text":{"msg":"drain"}}'],
  ['JSON cut short', '{"msg":"drain"'],
  ['JSON with something after it', '{"msg":"drain"} {}'],
  ['a node without a name', '{"msg":"node"}'],
  ['a node with an empty name', '{"msg":"node","id":""}'],
  ['a node with a name that is none', '{"msg":"node","id":7}'],
  ['a node with a name too long', `{"msg":"node","id":"${'x'.repeat(257)}"}`],
  ['a notice over 1 KB', `{"msg":"drain","pad":"${'x'.repeat(1_024)}"}`],
  ['binary', new TextEncoder().encode('{"msg":"drain"}')],
  ['undefined', undefined],
])('%s is no notice', (_, data) => {
  expect(parseNotice(data)).toBeUndefined();
});

test('a duplicate key cannot smuggle in another kind', () => {
  expect(parseNotice('{"msg":"node","id":"a","__proto__":{"x":1}}')).toEqual({
    msg: 'node',
    id: 'a',
    spreadMs: 0,
  });
  expect(({} as { x?: number }).x).toBeUndefined();
});
