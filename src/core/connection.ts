import { FailoverError } from './errors.ts';
import type { Liveness } from './liveness.ts';
import type { Frame, ResolvedOptions } from './options.ts';
import type { Dialler, Socket } from './socket.ts';

export interface ConnectionHandlers {
  /** Open and through its handshake: frames of the app may go out. */
  ready(): void;
  /** The native socket is open; the handshake begins. */
  opened(): void;
  /** Anything came in: the peer lives. Called before `frame`. */
  heard(data: unknown): void;
  /** A frame for the app. */
  frame(event: MessageEvent): void;
  /** Ended by itself, or its handshake failed. */
  ended(end: ConnectionEnd): void;
}

export interface ConnectionEnd {
  readonly opened: boolean;
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  /** What the handshake, or the WebSocket constructor, threw. */
  readonly error?: unknown;
}

/** One socket from its dial to its end: handshake, what was heard and sent on it, which node it leads to. */
export class Connection {
  readonly url: string;
  openedAt: number | undefined;
  firstHeardAt: number | undefined;
  node: string | undefined;
  life: Liveness;
  /** Frames handed to the socket, and how many of them an answered ping has proven to have arrived (TCP keeps order). */
  sent = 0;
  confirmed = 0;
  #sentAtPing = 0;
  /** Handshake under way: frames go to `receive()`, not to the app. */
  #waiting: { resolve: (data: unknown) => void; reject: (error: Error) => void }[] | undefined;
  #inbox: MessageEvent[] = [];
  #ended = false;
  readonly #socket: Socket;
  readonly #options: ResolvedOptions;
  readonly #on: ConnectionHandlers;

  constructor(
    dialler: Dialler,
    url: string,
    protocols: string | string[] | undefined,
    options: ResolvedOptions,
    on: ConnectionHandlers,
  ) {
    this.url = url;
    this.#options = options;
    this.#on = on;
    this.life = { heardAt: options.env.now(), ping: undefined };
    this.#socket = dialler.dial(url, protocols, {
      open: () => this.#open(),
      message: (event) => this.#message(event),
      end: (code, reason, wasClean, error) => this.#end({ opened: this.openedAt !== undefined, code, reason, wasClean, error }),
    });
  }

  get native(): WebSocket {
    return this.#socket.native;
  }

  get unconfirmed(): number {
    return this.sent - this.confirmed;
  }

  setBinaryType(type: BinaryType): void {
    this.#socket.setBinaryType(type);
  }

  send(frame: Frame): void {
    this.sent += 1;
    this.#socket.send(frame);
  }

  /** Sends the heartbeat message; its answer is overdue after `overdueMs`. */
  ping(frame: Frame, overdueMs: number): void {
    const now = this.#options.env.now();
    this.#sentAtPing = this.sent;
    this.life = { ...this.life, ping: { sentAt: now, overdueAt: now + overdueMs } };
    this.#socket.send(frame);
  }

  /** The ping was answered by a frame that only a peer that read it can send. Returns its round trip in ms. */
  pong(): number | undefined {
    const { ping, heardAt } = this.life;
    if (!ping) return undefined;
    this.confirmed = this.#sentAtPing;
    this.life = { heardAt, ping: undefined };
    return heardAt - ping.sentAt;
  }

  /** Begins an orderly close; `ended` follows. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  /** Forgets the socket: nothing of it is heard any more. */
  detach(): void {
    this.#ended = true;
    this.#socket.detach();
    this.#failReceivers();
  }

  #open(): void {
    this.openedAt = this.#options.env.now();
    this.life = { heardAt: this.openedAt, ping: undefined };
    this.#on.opened();
    const { handshake } = this.#options;
    if (!handshake) {
      this.#on.ready();
      return;
    }
    this.#waiting = [];
    const send = (frame: Frame) => {
      if (!this.#ended) this.#socket.send(frame);
    };
    const receive = () =>
      new Promise<unknown>((resolve, reject) => {
        const early = this.#inbox.shift();
        if (early) resolve(early.data);
        else if (this.#ended || !this.#waiting) reject(new FailoverError('closed', 'receive: the connection has ended'));
        else this.#waiting.push({ resolve, reject });
      });
    // Called inside `try` so that a handshake that throws at once counts like one that rejects.
    void (async () => {
      await handshake(send, receive);
    })().then(
      () => this.#shaken(),
      (error: unknown) => {
        if (this.#ended) return;
        this.detach();
        this.#on.ended({ opened: true, code: 0, reason: '', wasClean: false, error });
      },
    );
  }

  #shaken(): void {
    if (this.#ended) return;
    this.#failReceivers();
    this.#on.ready();
    // Frames that came in while nobody asked for them belong to the app.
    for (const event of this.#inbox.splice(0)) if (!this.#ended) this.#on.frame(event);
  }

  #message(event: MessageEvent): void {
    const now = this.#options.env.now();
    this.firstHeardAt ??= now;
    this.life = { ...this.life, heardAt: now };
    const waiting = this.#waiting;
    if (!waiting) {
      this.#on.heard(event.data);
      if (!this.#ended) this.#on.frame(event);
      return;
    }
    this.#on.heard(event.data);
    const next = waiting.shift();
    if (next) next.resolve(event.data);
    else this.#inbox.push(event);
  }

  #end(end: ConnectionEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failReceivers();
    this.#on.ended(end);
  }

  #failReceivers(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const { reject } of waiting) reject(new FailoverError('closed', 'receive: the connection has ended'));
  }
}
