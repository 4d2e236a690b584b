import { FailoverWebSocket } from '../../../src/core/facade/failover-websocket.ts';
import { FailoverError } from '../../../src/core/api/errors.ts';
import type { Heartbeat } from '../../../src/core/api/options.ts';
import type { Work } from '../plan.ts';
import type { SimSocket } from '../world/socket.ts';
import type { Tab } from '../world/tab.ts';
import { Page } from './page.ts';
import type { PlainSession } from './plain-server.ts';

/** An app on a plain link: sends numbers, subscribes to keys, and looks at the order of everything. */
export class PlainPage extends Page {
  protected link!: FailoverWebSocket;
  #number = 0;
  /** What `send` took. */
  readonly #accepted = new Set<number>();
  /** What has been handed to a socket, in that order. */
  #handed = 0;
  #handedCount = 0;
  readonly #sockets = new Order();
  /** Of each socket: what the server knows of the registry. */
  readonly #told = new Map<SimSocket, Map<string, string>>();
  readonly #heard = new Order();
  readonly #next = new Map<number, number>();
  #values = 0;
  /** Sockets that were there when something was deleted: what is set again has another place in the registry. */
  readonly #changed = new Set<SimSocket>();
  #opens = 0;
  #opening = false;
  /** Sockets on which something else than greetings was sent. */
  readonly #used = new Set<SimSocket>();

  constructor(tab: Tab) {
    super(tab);
    tab.world.arrived.push(new Set());
  }

  start(): void {
    const { plan } = this.world;
    const { login, heartbeat, perConnection } = plan.link;
    const beats: Record<typeof heartbeat, Heartbeat | false> = {
      active: { message: 'ping', isReply: (data) => data === 'pong', required: true },
      // An app that waits for words over a network that loses packets leaves time for them to be sent again.
      passive: {
        expectEveryMs: Math.max(plan.server.speaksMs, 50) + (plan.net.loss > 0.05 ? 4 * plan.net.rttMs : 0),
      },
      none: false,
    };
    this.link = new FailoverWebSocket(this.url(), undefined, {
      ...this.options(),
      heartbeat: beats[heartbeat],
      events: perConnection ? 'per-connection' : 'link',
      ...(login && { handshake: (send, receive) => this.#hello(send, receive) }),
    });
    this.listen();
    this.link.addEventListener('open', () => this.#open());
    this.link.addEventListener('message', ({ data }) => this.#message(String(data)));
    this.link.addEventListener('close', () => {
      if (!perConnection && !this.over) this.violated('giveup', '`close` of a link that goes on');
    });
  }

  async #hello(send: (frame: string) => void, receive: () => Promise<unknown>): Promise<void> {
    send(`hello ${this.token}`);
    for (;;) {
      const answer = await receive();
      if (answer === 'welcome') return;
      if (answer !== 'denied') continue;
      // Without a provider the handshake itself gets a fresh one for the next time.
      if (this.world.plan.link.provider === 'none') this.token = this.world.goodToken;
      throw new FailoverError('unauthorized', 'denied');
    }
  }

  protected does(what: Work): void {
    switch (what.do) {
      case 'send':
        for (let i = 0; i < what.count; i++) this.#send();
        break;
      case 'set':
        this.link.subscriptions.set(what.key, `k ${what.key} ${++this.#values}`);
        break;
      case 'delete':
        this.link.subscriptions.delete(what.key);
        for (const keys of this.#told.values()) keys.delete(what.key);
        for (const socket of this.tab.sockets) this.#changed.add(socket);
        break;
      default:
      // Of the other protocol, or the server's.
    }
  }

  #open(): void {
    this.#opens += 1;
    this.#opening = true;
    if (this.world.plan.link.greets) this.#send();
    this.act('open');
    this.#opening = false;
  }

  #greet(): void {
    try {
      this.link.send(`g ${this.#opens}`);
    } catch {
      // Refused, if the connection is gone already and the queue full.
    }
  }

  #send(): void {
    // What is said in an `open` listener goes out before what has waited.
    if (this.#opening) return this.#greet();
    const number = ++this.#number;
    const { queuedMessages, queuedBytes } = this.link.stats();
    const { maxQueued, maxBytes } = this.world.plan.link;
    if (queuedMessages > maxQueued || queuedBytes > maxBytes)
      this.violated('queue', `${queuedMessages} frames and ${queuedBytes} B wait`);
    // Before it is sent: a socket may take it at once.
    this.#accepted.add(number);
    try {
      this.link.send(`s ${number}`);
    } catch (error) {
      this.#accepted.delete(number);
      const size = `s ${number}`.length;
      const fits = queuedMessages < maxQueued && queuedBytes + size <= maxBytes;
      if (fits || (error as FailoverError).kind !== 'overflow')
        this.violated('queue', `refused with ${queuedMessages} waiting: ${String(error)}`);
    }
  }

  protected sent(socket: SimSocket, frame: string): void {
    if (this.world.tracing) this.say(`→ ${socket.id} ${frame}`);
    const [what, first = '', value = ''] = frame.split(' ');
    if (what === 'k') this.#tell(socket, first, value);
    if (what === 'g' && Number(first) === this.#opens && this.#used.has(socket))
      this.violated('order', `what the app said in its open listener goes out late on socket ${socket.id}`);
    if (what !== 's') return;
    this.#used.add(socket);
    const number = Number(first);
    if (!this.#accepted.has(number)) this.violated('order', `${number} is sent, but was refused`);
    if (number <= this.#handed) this.violated('order', `${number} is sent after ${this.#handed}`);
    this.#handed = number;
    this.#handedCount += 1;
    if (!this.#sockets.goesOn(socket.id))
      this.violated('former-connection', `${number} goes out on socket ${socket.id}, which was left`);
    const told = this.#told.get(socket);
    const registry = [...this.link.subscriptions];
    const missing = registry.find(([key, entry]) => told?.get(String(key)) !== String(entry).split(' ')[2]);
    if (missing)
      this.violated('order', `${number} goes out before ${String(missing[0])} is subscribed on ${socket.id}`);
    const known = [...(told?.keys() ?? [])];
    if (!missing && !this.#changed.has(socket) && registry.some(([key], i) => known[i] !== key))
      this.violated(
        'order',
        `socket ${socket.id} was told of the registry in another order: ${known.join()}`,
      );
  }

  protected isApps(frame: string): boolean {
    return /^[gks] /.test(frame);
  }

  #tell(socket: SimSocket, key: string, value: string): void {
    const told = this.#told.get(socket) ?? new Map<string, string>();
    this.#told.set(socket, told.set(key, value));
  }

  #message(data: string): void {
    const [what, connection, number] = data.split(' ');
    if (this.closed) this.violated('former-connection', `"${data}" is heard after close()`);
    if (what === 'welcome' || (what === 'pong' && !this.blind))
      this.violated('handshake-first', `"${what}" reached the app`);
    if (what !== 'm') return;
    const id = Number(connection);
    if (!this.#heard.goesOn(id))
      this.violated('former-connection', `heard from ${id} after another was current`);
    const next = this.#next.get(id) ?? 0;
    if (Number(number) !== next) this.violated('order', `heard ${data}, but ${next} was next`);
    this.#next.set(id, next + 1);
    this.act('message');
  }

  protected waitsFor(): string | undefined {
    if (this.over) return undefined;
    const { queuedMessages } = this.link.stats();
    return queuedMessages > 0 ? `${queuedMessages} frames wait` : undefined;
  }

  checkQuiet(): void {
    if (this.over || this.blind) return;
    this.checkLink();
    if (this.#handedCount !== this.#accepted.size)
      this.violated('order', `${this.#accepted.size} frames were accepted, ${this.#handedCount} sent`);
    const arrived = this.world.arrived[this.tab.index]!;
    const lost = [...this.#accepted].filter((number) => !arrived.has(number)).length;
    if (lost > this.unconfirmed)
      this.violated('report', `${lost} frames never arrived, but only ${this.unconfirmed} are unconfirmed`);
    const session = this.#session();
    for (const [key, entry] of this.link.subscriptions)
      if (session?.keys.get(String(key)) !== String(entry).split(' ')[2])
        this.violated(
          'order',
          `the server has ${session?.keys.get(String(key))} for ${String(key)}, not ${String(entry)}`,
        );
  }

  /** The server's end of the current connection: the one that the app's frames went to last. */
  #session(): PlainSession | undefined {
    const open = this.tab.sockets.filter(({ readyState }) => readyState === 1);
    const socket = open.find(({ id }) => id === this.#sockets.last) ?? open[0];
    return socket?.connection?.session as PlainSession | undefined;
  }

  protected end(): void {
    this.link.close();
  }
}

/** Takes turns that never come back to one that was before. */
class Order {
  readonly #past = new Set<number>();
  last: number | undefined;

  goesOn(id: number): boolean {
    if (id === this.last) return true;
    if (this.#past.has(id)) return false;
    this.#past.add(id);
    this.last = id;
    return true;
  }
}
