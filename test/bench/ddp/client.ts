/**
 * One measurement of one DDP client, in a process of its own (`--expose-gc`), which prints its figures as JSON.
 *   failover <ours|simpleddp> <port> <docs> <subs>   told by its parent that the connections were cut, until all is ready again
 *   changed  <ours|simpleddp> <docs> <messages>      `changed` messages applied, one observer listening
 */
import { WebSocket } from 'ws';
import type * as Ddp from '../../../src/ddp/index.ts';
import { CHANGED_EVERY, COLLECTIONS } from './shape.ts';
import { loadSimpleDdp } from './simpleddp.ts';

// What users get, not what tsx makes of the sources.
const { DDPClient } = (await import(new URL('../../../dist/ddp.js', import.meta.url).href)) as typeof Ddp;

const [what, client, ...numbers] = process.argv.slice(2);
const [first = 0, second = 0, third = 0] = numbers.map(Number);
const gc = (globalThis as { gc?: () => void }).gc!;
const heapMb = () => process.memoryUsage().heapUsed / 2 ** 20;

interface Client {
  subscribe(name: string, ...params: unknown[]): void;
  /** Counts what the app is told of documents. */
  observe(collection: string, event: () => void): void;
  /** Number of documents there are. */
  size(collection: string): number;
}

/** When the last frame came in that was no answer to a ping, and how many subscriptions were ready by then on the connection it came on. */
const wire = { at: 0, readies: 0 };

class WatchedWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols ?? []);
    wire.readies = 0;
    this.on('message', (data: Buffer) => {
      if (!data.includes('"msg":"pong"')) wire.at = performance.now();
      if (data.includes('"msg":"ready"')) wire.readies += 1;
    });
  }
}

function connect(url: string, Native: unknown): Client {
  if (client === 'ours') {
    const ddp = new DDPClient(url, { policy: 'fast', probe: false, env: { WebSocket: Native as never } });
    return {
      subscribe: (name, ...params) => void ddp.subscribe(name, ...params),
      observe: (collection, event) =>
        void ddp.collection(collection).observe({ added: event, changed: event, removed: event }),
      size: (collection) => ddp.collection(collection).size,
    };
  }
  const SimpleDDP = loadSimpleDdp();
  const ddp = new SimpleDDP({ endpoint: url, SocketConstructor: Native, reconnectInterval: 1 });
  return {
    subscribe: (name, ...params) => void ddp.subscribe(name, ...params),
    observe: (collection, event) => void ddp.collection(collection).onChange(event),
    size: (collection) => ddp.collections[collection]?.length ?? 0,
  };
}

async function failover(port: number, docs: number, subs: number): Promise<object> {
  const ddp = connect(`ws://127.0.0.1:${port}/websocket`, WatchedWebSocket);
  let events = 0;
  let eventAt = 0;
  let heapPeak = 0;
  const size = () => Array.from({ length: COLLECTIONS }, (_, i) => ddp.size(`c${i}`)).reduce((a, b) => a + b);
  /** When all was there, and nothing more happened for half a second. */
  const settled = async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      heapPeak = Math.max(heapPeak, heapMb());
      const last = Math.max(wire.at, eventAt);
      if (wire.readies >= subs && size() === docs && performance.now() - last > 500) return last;
    }
  };
  for (let i = 0; i < subs; i++) ddp.subscribe('part', i);
  await settled();
  for (let i = 0; i < COLLECTIONS; i++) {
    ddp.observe(`c${i}`, () => {
      events += 1;
      eventAt = performance.now();
    });
  }
  gc();
  const heapBefore = heapMb();
  events = heapPeak = wire.readies = 0;
  process.send!('ready');
  await new Promise((resolve) => process.once('message', resolve));
  const start = performance.now();
  const ms = (await settled()) - start;
  gc();
  return { ms, events, expected: docs / CHANGED_EVERY, heapBefore, heapAfter: heapMb(), heapPeak };
}

/** A socket to nowhere that says what it is told to. */
class ScriptedWebSocket extends EventTarget {
  static last: ScriptedWebSocket;
  readyState = 0;
  binaryType = 'blob';
  bufferedAmount = 0;
  onopen?: () => void;
  onmessage?: (event: MessageEvent) => void;

  constructor(readonly url: string) {
    super();
    ScriptedWebSocket.last = this;
    setTimeout(() => {
      this.readyState = 1;
      this.onopen?.();
      this.dispatchEvent(new Event('open'));
    });
  }

  send(frame: string): void {
    if (frame.includes('"msg":"connect"')) setTimeout(() => this.says('{"msg":"connected","session":"s"}'));
  }

  says(data: string): void {
    const event = new MessageEvent('message', { data });
    this.onmessage?.(event);
    this.dispatchEvent(event);
  }

  close(): void {}
}

/** Some clients handle a message later than it comes in. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

async function changed(docs: number, messages: number): Promise<object> {
  const ddp = connect('ws://nowhere.example/websocket', ScriptedWebSocket);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const socket = ScriptedWebSocket.last;
  let events = 0;
  const say = (msg: string, id: number, fields: object) =>
    JSON.stringify({ msg, collection: 'c0', id: String(id), fields });
  for (let id = 0; id < docs; id++)
    socket.says(say('added', id, { n: id, text: `document ${id}`, done: false }));
  await until(() => ddp.size('c0') === docs);
  ddp.observe('c0', () => (events += 1));
  events = 0;
  const frames = Array.from({ length: messages }, (_, i) =>
    say('changed', i % docs, { n: -i, done: i % 2 === 0 }),
  );
  // The first fifth warms it up.
  const fifth = messages / 5;
  for (let i = 0; i < fifth; i++) socket.says(frames[i]!);
  await until(() => events >= fifth);
  const start = performance.now();
  for (let i = fifth; i < messages; i++) socket.says(frames[i]!);
  await until(() => events >= messages);
  const ms = performance.now() - start;
  return { perSecond: Math.round(((messages - fifth) / ms) * 1_000), events, expected: messages };
}

const result = what === 'failover' ? await failover(first, second, third) : await changed(first, second);
console.log(JSON.stringify(result));
process.exit();
