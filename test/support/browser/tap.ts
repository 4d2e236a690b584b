/** A tap on the line between browsers and a cluster: hands everything on, and keeps what the server's side saw of each WebSocket. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';

/** One WebSocket of a page. Instants are `performance.now()` of this process. */
export interface Line {
  readonly path: string;
  /** The node at its other end, as the upgrade's answer says. */
  readonly node: string;
  /** What the page sent. */
  readonly heard: { readonly at: number; readonly text: string }[];
  /** How it ended for the server; 1006 where the page said no good-bye. */
  closedWith?: number;
}

export class Tap {
  /** Handshakes that reached us, whatever became of them. */
  dials = 0;
  /** Those that opened, in order. */
  readonly lines: Line[] = [];
  /** Documents that pages asked for. */
  readonly documents: string[] = [];
  /** So many of the next WebSockets open, and then nothing is heard on them. */
  mute = 0;
  /** Changes a page's content security policy. */
  policy: (policy: string) => string = (policy) => policy;

  readonly #server = createServer((asked, answer) => this.#handOn(asked, answer));
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #cluster: string;

  static async open(clusterUrl: string): Promise<Tap> {
    const tap = new Tap(clusterUrl);
    await new Promise<void>((listening) => tap.#server.listen(0, '127.0.0.1', listening));
    return tap;
  }

  private constructor(clusterUrl: string) {
    this.#cluster = clusterUrl;
    this.#server.on('upgrade', (asked: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#join(asked, socket, head),
    );
  }

  url(host = '127.0.0.1'): string {
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Those that the server still takes for open. */
  get live(): Line[] {
    return this.lines.filter(({ closedWith }) => closedWith === undefined);
  }

  /** Forgets what was, for the next test; pages should be closed by then. */
  reset(): void {
    this.dials = this.mute = 0;
    this.lines.length = this.documents.length = 0;
    this.policy = (policy) => policy;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.closeAllConnections();
    await closed;
  }

  #handOn(asked: IncomingMessage, answer: ServerResponse): void {
    if (asked.headers['sec-fetch-dest'] === 'document') this.documents.push(asked.url!);
    const { method, url, headers } = asked;
    const onward = request(this.#cluster + url!, { method: method!, headers }, (response) => {
      const policy = response.headers['content-security-policy'];
      if (typeof policy === 'string') response.headers['content-security-policy'] = this.policy(policy);
      answer.writeHead(response.statusCode!, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  }

  #join(asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.dials += 1;
    if (this.mute > 0) {
      this.mute -= 1;
      return this.#sockets.handleUpgrade(asked, socket, head, (page) => page.on('error', () => {}));
    }
    const path = asked.url!;
    const server = new WebSocket(this.#cluster.replace('http', 'ws') + path);
    let node = '';
    let line: Line | undefined;
    socket.on('error', () => {});
    socket.on('close', () => line ?? server.terminate());
    server.on('upgrade', (response) => (node = String(response.headers['x-node'])));
    server.on('error', () => line ?? socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n'));
    server.on('open', () =>
      this.#sockets.handleUpgrade(asked, socket, head, (page) => {
        const mine: Line = (line = { path, node, heard: [] });
        this.lines.push(mine);
        page.on('error', () => {});
        page.on('message', (data, binary) => {
          mine.heard.push({ at: performance.now(), text: String(data) });
          server.send(data, { binary });
        });
        page.on('close', (code) => {
          mine.closedWith = code;
          server.terminate();
        });
        server.on('message', (data, binary) => page.send(data, { binary }));
        server.on('close', (code, reason) => (code === 1006 ? page.terminate() : page.close(code, reason)));
      }),
    );
  }
}
