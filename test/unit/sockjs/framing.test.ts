import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { browserEnv } from '../../../src/core/env/browser.ts';
import { createEndpoints, type Endpoint } from '../../../src/core/link/endpoints.ts';
import { messageFrame, parseFrame, sockjsUrl, type SockJSFrame } from '../../../src/sockjs/framing.ts';

describe('a frame', () => {
  test.each<[data: string, frame: SockJSFrame]>([
    ['o', { type: 'open' }],
    ['h', { type: 'heartbeat' }],
    ['a[]', { type: 'messages', messages: [] }],
    ['a["x"]', { type: 'messages', messages: ['x'] }],
    ['a["1","","ü\\u2028\\n"]', { type: 'messages', messages: ['1', '', 'ü\u2028\n'] }],
    ['a["{\\"msg\\":\\"ping\\"}"]', { type: 'messages', messages: ['{"msg":"ping"}'] }],
    ['a[ "x" ] ', { type: 'messages', messages: ['x'] }],
    ['a["__proto__","constructor"]', { type: 'messages', messages: ['__proto__', 'constructor'] }],
    ['c[3000,"Go away!"]', { type: 'close', code: 3_000, reason: 'Go away!' }],
    ['c[1000,""]', { type: 'close', code: 1_000, reason: '' }],
    [
      'c[2010,"Another connection still open"]',
      { type: 'close', code: 2_010, reason: 'Another connection still open' },
    ],
    ['c[4999,"x"]', { type: 'close', code: 4_999, reason: 'x' }],
  ])('%s', (data, frame) => {
    expect(parseFrame(data)).toEqual(frame);
  });

  test.each<[unknown]>([
    [''],
    ['oo'],
    ['o '],
    ['O'],
    ['hh'],
    ['h[]'],
    ['x'],
    ['m"old"'],
    ['a'],
    ['a["x"'],
    ['a["x"]a["y"]'],
    ['a"x"'],
    ['a{"0":"x"}'],
    ['a {}'],
    ['a[1]'],
    ['a[null]'],
    ['a["x",{}]'],
    ['a["x",["y"]]'],
    ['a[undefined]'],
    ['["x"]'],
    ['"x"'],
    [' a["x"]'],
    ['\ufeffa["x"]'],
    ['c'],
    ['c[]'],
    ['c[3000]'],
    ['c["3000","x"]'],
    ['c[3000,null]'],
    ['c[3000,"x",1]'],
    ['c[3000.5,"x"]'],
    ['c[1e999,"x"]'],
    ['c[999,"x"]'],
    ['c[5000,"x"]'],
    ['c[-1,"x"]'],
    ['c{"code":3000}'],
    [undefined],
    [null],
    [7],
    [['o']],
    [['a[]']],
    [Buffer.from('a[]')],
    [new TextEncoder().encode('o')],
    [new ArrayBuffer(1)],
  ])('%j is malformed', (data) => {
    expect(parseFrame(data)).toEqual({ type: 'malformed' });
  });

  test('any input is a frame or malformed, never an error, and only text gets through', () => {
    const nearly = fc
      .tuple(fc.constantFrom('', 'o', 'h', 'a', 'c', 'a[', 'c['), fc.oneof(fc.json(), fc.string()))
      .map(([type, content]) => type + content);
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string(), fc.anything()), (data) => {
        const frame = parseFrame(data);
        if (frame.type === 'messages') {
          for (const message of frame.messages) expect(typeof message).toBe('string');
          expect(JSON.parse((data as string).slice(1))).toEqual(frame.messages);
        } else if (frame.type === 'close') {
          expect([Number.isInteger(frame.code), typeof frame.reason]).toEqual([true, 'string']);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('messages come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (messages) => {
        expect(parseFrame(`a${JSON.stringify(messages)}`)).toEqual({ type: 'messages', messages });
        for (const message of messages) expect(JSON.parse(messageFrame(message))).toEqual([message]);
      }),
    );
  });
});

describe('the URL', () => {
  test.each<[base: string | URL, url: string]>([
    ['wss://a.example/sockjs', 'wss://a.example/sockjs/{attempt}/{attempt}/websocket'],
    ['wss://a.example/sockjs/', 'wss://a.example/sockjs/{attempt}/{attempt}/websocket'],
    ['https://a.example/sockjs', 'https://a.example/sockjs/{attempt}/{attempt}/websocket'],
    ['ws://a.example:3000', 'ws://a.example:3000/{attempt}/{attempt}/websocket'],
    ['wss://websocket', 'wss://websocket/{attempt}/{attempt}/websocket'],
    ['wss://a.example/websockets', 'wss://a.example/websockets/{attempt}/{attempt}/websocket'],
    ['/sockjs', '/sockjs/{attempt}/{attempt}/websocket'],
    ['wss://a.example/s?token=a/b', 'wss://a.example/s/{attempt}/{attempt}/websocket?token=a/b'],
    [new URL('wss://a.example/sockjs'), 'wss://a.example/sockjs/{attempt}/{attempt}/websocket'],
    ['wss://a.example/sockjs/123/abc/websocket', 'wss://a.example/sockjs/123/abc/websocket'],
    ['wss://a.example/sockjs/websocket?x', 'wss://a.example/sockjs/websocket?x'],
    ['/websocket', '/websocket'],
  ])('of %s', (base, url) => {
    expect(sockjsUrl(base)).toBe(url);
    expect(sockjsUrl(url)).toBe(url);
  });

  test('is new for every dial, with different server and session ids without dots', () => {
    let drawn = 0;
    const env = { ...browserEnv(), random: () => ((drawn += 1) * 0.1234567) % 1 };
    const target = createEndpoints(sockjsUrl('https://a.example/sockjs?x=1'), undefined, env);
    const dial = () =>
      (target.next({ attempt: 1, cause: undefined, signal: new AbortController().signal }) as Endpoint).url;
    const urls = [dial(), dial(), dial()];
    const ids = urls.flatMap((url) => {
      const [, server, session] = /^wss:\/\/a\.example\/sockjs\/([^/.]+)\/([^/.]+)\/websocket\?x=1$/.exec(
        url,
      )!;
      return [server, session];
    });
    expect(new Set(ids).size).toBe(6);
    expect(target.freshPath).toBe(true);
  });
});
