import { beforeEach, describe, expect, test } from 'vitest';
import { sockjsWebSocket } from '../../../src/sockjs/index.ts';

/** The socket underneath, driven by the test. */
class Wire extends EventTarget {
  static last: Wire;
  readyState = 0;
  protocol = '';
  extensions = 'permessage-deflate';
  bufferedAmount = 7;
  readonly sent: unknown[] = [];
  readonly closes: unknown[][] = [];
  readonly given: unknown[];

  constructor(
    readonly url: string,
    ...protocols: unknown[]
  ) {
    super();
    this.given = protocols;
    this.protocol = String(protocols[0] ?? '');
    Wire.last = this;
  }
  send(data: unknown): void {
    this.sent.push(data);
  }
  /** As strict as a browser. */
  close(...args: [code?: number, reason?: string]): void {
    const [code] = args;
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException('invalid code', 'InvalidAccessError');
    }
    this.closes.push(args);
  }
  says(...frames: unknown[]): void {
    for (const data of frames) {
      this.dispatchEvent(new MessageEvent('message', { data, origin: 'wss://a.example' }));
    }
  }
  ends(code: number, reason = '', wasClean = true): void {
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason, wasClean }));
  }
}

const SockJS = sockjsWebSocket(Wire);
let socket: WebSocket;
let wire: Wire;
/** The events it dispatched. */
let log: string[];
const HEARTBEAT = 'heartbeat';

function open(...protocols: [protocols?: string[]]): void {
  socket = new SockJS('wss://a.example/s/1/2/websocket', ...protocols);
  wire = Wire.last;
  log = [];
  socket.addEventListener('open', () => log.push('open'));
  socket.addEventListener('message', ({ data }) => log.push(`message ${String(data)}`));
  socket.addEventListener('error', () => log.push('error'));
  socket.addEventListener('close', (e) =>
    log.push(`close ${e.code} ${e.reason} ${e.wasClean ? 'clean' : 'unclean'}`),
  );
  socket.addEventListener(HEARTBEAT, () => log.push(HEARTBEAT));
}
const taken = () => log.splice(0);
beforeEach(() => open());

describe('it opens', () => {
  test('when the server opens the session, not when the native socket does', () => {
    wire.dispatchEvent(new Event('open'));
    expect([taken(), socket.readyState]).toEqual([[], 0]);
    wire.says('o');
    expect([taken(), socket.readyState]).toEqual([['open'], 1]);
  });

  test('with the properties of the native socket', () => {
    open(['v1', 'v2']);
    expect(wire.given).toEqual([['v1', 'v2']]);
    expect([
      socket.url,
      socket.protocol,
      socket.extensions,
      socket.bufferedAmount,
      socket.binaryType,
    ]).toEqual(['wss://a.example/s/1/2/websocket', 'v1,v2', 'permessage-deflate', 7, 'blob']);
    open();
    expect(wire.given).toEqual([[]]);
    expect(new SockJS(new URL('wss://a.example/x')).url).toBe('wss://a.example/x');
  });

  test('and has the constants of the states', () => {
    for (const of of [SockJS, socket]) {
      expect([of.CONNECTING, of.OPEN, of.CLOSING, of.CLOSED]).toEqual([0, 1, 2, 3]);
    }
  });

  test('an error of the native constructor is thrown on', () => {
    const Blocked = sockjsWebSocket(
      class {
        constructor() {
          throw new DOMException('mixed content', 'SecurityError');
        }
      },
    );
    expect(() => new Blocked('ws://a.example/')).toThrow('mixed content');
  });
});

describe('messages', () => {
  beforeEach(() => {
    wire.says('o');
    taken();
  });

  test('are dispatched one by one, in order, with their origin', () => {
    const origins: string[] = [];
    socket.addEventListener('message', ({ origin }) => origins.push(origin));
    wire.says('a["1","2"]', 'a[]', 'a["3"]');
    expect(taken()).toEqual(['message 1', 'message 2', 'message 3']);
    expect(origins).toEqual(Array(3).fill('wss://a.example'));
  });

  test('stop when a listener closes', () => {
    socket.addEventListener('message', () => socket.close());
    wire.says('a["1","2"]', 'a["3"]', 'h', 'o', 'junk', 'c[3000,"late"]');
    expect(taken()).toEqual(['message 1']);
    wire.ends(1000);
    expect(taken()).toEqual(['close 1000  clean']);
  });

  test('go out one per frame', () => {
    socket.send('');
    socket.send('"ü"');
    expect(wire.sent).toEqual(['[""]', '["\\"ü\\""]']);
  });

  test.each<[string, unknown, shown: string]>([
    ['a buffer', new ArrayBuffer(1), '[object ArrayBuffer]'],
    ['a view', new Uint8Array(1), '[object Uint8Array]'],
    ['a blob', new Blob(['x']), '[object Blob]'],
    ['a number', 7, '[object Number]'],
    ['nothing', undefined, '[object Undefined]'],
  ])('%s is not text: TypeError', (_, data, shown) => {
    const send = (): void => socket.send(data as string);
    expect(send).toThrow(TypeError);
    expect(send).toThrow(`SockJS carries text only: expected a string, got ${shown}.`);
    expect(wire.sent).toEqual([]);
  });

  test('heartbeats have their own event', () => {
    wire.says('h');
    expect(taken()).toEqual([HEARTBEAT]);
    expect(wire.sent).toEqual([]);
  });
});

test('a message sent too early is an error, one sent too late is discarded', () => {
  expect(() => socket.send('x')).toThrow(
    expect.objectContaining({
      name: 'InvalidStateError',
      message: 'The SockJS session is not open yet. Send after the `open` event.',
    }),
  );
  wire.says('o');
  socket.close();
  socket.send('x');
  wire.ends(1000);
  socket.send('x');
  expect(wire.sent).toEqual([]);
});

describe('it ends', () => {
  test('with the code and reason of a close frame, at once, and the native socket is closed', () => {
    wire.says('o', 'c[3000,"Go away!"]');
    expect([taken(), socket.readyState]).toEqual([['open', 'close 3000 Go away! clean'], 3]);
    expect(wire.closes).toEqual([[]]);
    // After that the native socket is ignored.
    wire.says('a["late"]', 'h', 'junk');
    wire.dispatchEvent(new Event('error'));
    wire.ends(1006);
    expect(taken()).toEqual([]);
  });

  test('with a close frame that comes instead of an open one', () => {
    wire.says('c[2010,"Another connection still open"]');
    expect(taken()).toEqual(['close 2010 Another connection still open clean']);
  });

  test('when the native socket ends', () => {
    wire.says('o');
    wire.dispatchEvent(new Event('error'));
    wire.ends(1006, '', false);
    expect([taken(), socket.readyState]).toEqual([['open', 'error', 'close 1006  unclean'], 3]);
  });

  test('also before it opened', () => {
    wire.dispatchEvent(new Event('error'));
    wire.ends(1006, '', false);
    expect([taken(), socket.readyState]).toEqual([['error', 'close 1006  unclean'], 3]);
  });

  test.each<[string, unknown[]]>([
    ['a malformed frame', ['o', 'junk']],
    ['binary', ['o', new ArrayBuffer(1)]],
    ['a second open', ['o', 'o']],
  ])('with 1002 after %s', (_, frames) => {
    wire.says(...frames, 'a["late"]');
    expect([taken(), socket.readyState]).toEqual([
      ['open', 'error', 'close 1002 malformed frame unclean'],
      3,
    ]);
    expect(wire.closes).toEqual([[]]);
  });

  test('with 1002 after messages before the session is open', () => {
    wire.says('a["x"]');
    expect(taken()).toEqual(['error', 'close 1002 malformed frame unclean']);
  });

  test('by close(), with the closing handshake of the native socket', () => {
    wire.says('o');
    socket.close(3001, 'done');
    expect([wire.closes, socket.readyState]).toEqual([[[3001, 'done']], 2]);
    socket.close();
    expect(wire.closes).toHaveLength(1);
    wire.ends(3001, 'done');
    expect([taken(), socket.readyState]).toEqual([['open', 'close 3001 done clean'], 3]);
    socket.close();
    expect(socket.readyState).toBe(3);
  });

  test('at once if the native socket does', () => {
    wire.says('o');
    wire.close = () => wire.ends(1000);
    socket.close();
    expect([taken(), socket.readyState]).toEqual([['open', 'close 1000  clean'], 3]);
  });

  test('not with a code that script must not use', () => {
    wire.says('o');
    expect(() => socket.close(1002)).toThrow('invalid code');
    expect(socket.readyState).toBe(1);
    wire.says('a["still here"]');
    expect(taken()).toEqual(['open', 'message still here']);
  });
});

test('on… handlers are called as in WebSocket, and may be replaced', () => {
  const calls: string[] = [];
  socket.onopen = () => calls.push('replaced');
  socket.onopen = () => calls.push('open');
  socket.onmessage = ({ data }) => calls.push(String(data));
  socket.onerror = () => calls.push('error');
  socket.onclose = ({ code }) => calls.push(`close ${code}`);
  wire.says('o', 'a["1","2"]');
  socket.onmessage = null;
  wire.says('a["3"]', 'junk');
  expect(calls).toEqual(['open', '1', '2', 'error', 'close 1002']);
});
