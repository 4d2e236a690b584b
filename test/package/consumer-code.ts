/** What every consumer does with the package, and the server it does it with. */
import { WebSocketServer } from 'ws';

export interface ConsumerServer {
  readonly url: string;
  close(): void;
}

/** A DDP server that knows one method, `echo`, and one plain frame. */
export function startServer(): Promise<ConsumerServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.send('{"msg":"hello"}');
    socket.on('message', (data) => {
      const { msg, id, params } = JSON.parse(String(data)) as { msg: string; id: string; params: unknown[] };
      const answer = (frame: object): void => socket.send(JSON.stringify(frame));
      if (msg === 'connect') answer({ msg: 'connected', session: 's' });
      if (msg === 'method') {
        answer({ msg: 'result', id, result: params[0] });
        answer({ msg: 'updated', methods: [id] });
      }
    });
  });
  return new Promise((done) =>
    server.on('listening', () => {
      const { port } = server.address() as { port: number };
      done({
        url: `ws://127.0.0.1:${port}`,
        close() {
          for (const client of server.clients) client.terminate();
          server.close();
        },
      });
    }),
  );
}

/**
 * A plain frame through one entry, an EJSON value through another, a look whether both have the same core, and SockJS's two
 * functions. The WebSocket class comes from outside, as Node 20 has none.
 */
const body = `
  const env = { WebSocket: globalThis.testWebSocket };
  const url = globalThis.testUrl;
  const plain = new core.FailoverWebSocket(url, [], { env });
  const frame = await new Promise((got) => plain.addEventListener('message', (e) => got(e.data), { once: true }));
  plain.close();
  const client = new ddp.DDPClient(url, { env });
  const sent = new Date(0);
  const echoed = await client.call('echo', sent);
  const sameCore = client.link instanceof core.FailoverWebSocket;
  client.close();
  const { origin } = new URL(sockjs.sockjsUrl('wss://example.org/sockjs'));
  const framed = typeof sockjs.sockjsWebSocket(env.WebSocket);
  const date = echoed instanceof Date && +echoed === 0;
  globalThis.testResult = JSON.stringify({ frame, date, sameCore, origin, framed });
`;

/** The result of both consumers. */
export const expectedResult = JSON.stringify({
  frame: '{"msg":"hello"}',
  date: true,
  sameCore: true,
  origin: 'wss://example.org',
  framed: 'function',
});

export const esmConsumer = `
  import * as core from 'failover-websocket';
  import * as ddp from 'failover-websocket/ddp';
  import * as sockjs from 'failover-websocket/sockjs';
  export const done = (async () => { ${body} })();
`;

export const cjsConsumer = `
  const core = require('failover-websocket');
  const ddp = require('failover-websocket/ddp');
  const sockjs = require('failover-websocket/sockjs');
  module.exports.done = (async () => { ${body} })();
`;

/** Runs the consumer whose file is its argument, and prints its result. */
export const runConsumer = (url: string): string => `
  globalThis.testWebSocket = require('ws').WebSocket;
  globalThis.testUrl = ${JSON.stringify(url)};
  import(process.argv[2])
    .then((m) => m.done ?? m.default.done)
    .then(() => console.log(globalThis.testResult));
`;
