import { FailoverError } from '../api/errors.ts';
import type { Frame } from '../api/frame.ts';
import type { ResolvedOptions } from '../api/options.ts';
import type { ConnectionEnd } from '../rules/classify.ts';
import type { Liveness } from '../rules/liveness.ts';
import type { Notice } from '../rules/notices.ts';
import type { Endpoint } from './endpoints.ts';
import type { Dialler, Socket } from './socket.ts';

export interface ConnectionHandlers {
  /** The native socket is open; the handshake, if there is one, begins. */
  opened(): void;
  /** Open and through its handshake: frames of the app may go out. */
  ready(): void;
  /** Called for every frame that comes in. */
  receive(event: MessageEvent): void;
  /** Called for each frame that came in during the handshake and that nobody asked for. */
  deliver(event: MessageEvent): void;
  /** The connection ended by itself, or its handshake failed. */
  ended(end: ConnectionEnd): void;
}

/** One socket from its dial to its end: its handshake, what was heard and sent on it, the node it leads to. */
export interface Connection extends Liveness {
  readonly endpoint: Endpoint;
  readonly socket: Socket;
  /** When the native socket opened, on the env's clock. */
  openedAt?: number;
  handshakeDone: boolean;
  /** Ended by itself or detached. */
  readonly isOver: boolean;
  /** When its first frame came in. */
  firstInboundAt?: number | undefined;
  /** The node's name, as `identify` or the server's notice gave it. */
  node?: string | undefined;
  /** How widely the node's clients are to spread if it is lost, as it said, ms. */
  spreadMs: number;
  /** A notice that its node goes away, still to be acted on. */
  drainNotice?: Extract<Notice, { msg: 'drain' }> | undefined;
  /** The app's subscriptions were sent on it ahead of its use. */
  replayed: boolean;
  /** Frames for the app that came in before the connection was in use. */
  readonly buffered: MessageEvent[];
  /** Pings without an answer of their own: when each went out, and how many frames of the app went before it. */
  readonly pendingPings: { readonly at: number; readonly sent: number }[];
  /** Frames of the app handed to the socket. */
  sent: number;
  /** How many of them an answered ping has proven to have arrived (TCP keeps order). */
  confirmed: number;
  send(frame: Frame): void;
  /** Offers a frame to a handshake under way; false if there is none. */
  takeForHandshake(event: MessageEvent): boolean;
  /** Closes the socket; no handler is called any more. */
  detach(): void;
}

/** Dials one socket and takes it through the app's handshake. Handlers are never called before this function has returned. */
export function connect(
  dialler: Dialler,
  endpoint: Endpoint,
  { env, handshake }: Pick<ResolvedOptions, 'env' | 'handshake'>,
  on: ConnectionHandlers,
): Connection {
  let isOver = false;
  const inbox = createInbox();

  const end = (how: ConnectionEnd): void => {
    if (isOver) return;
    isOver = true;
    inbox.close();
    on.ended(how);
  };
  const finishHandshake = (): void => {
    inbox.close();
    connection.handshakeDone = true;
    on.ready();
    // Frames that came in while nobody asked for them belong to the app.
    for (const event of inbox.takeUnread()) if (!isOver) on.deliver(event);
  };
  const runHandshake = async (run: NonNullable<typeof handshake>): Promise<void> => {
    inbox.open();
    try {
      await run(
        (frame) => {
          if (!isOver) socket.send(frame);
        },
        () => inbox.read(),
      );
    } catch (error) {
      if (isOver) return;
      socket.detach();
      end({ code: 0, reason: '', wasClean: false, error });
    }
    if (!isOver) finishHandshake();
  };

  const socket = dialler.dial(endpoint.url, endpoint.protocols, {
    open() {
      connection.openedAt = connection.lastInboundAt = env.now();
      on.opened();
      if (handshake) void runHandshake(handshake);
      else {
        connection.handshakeDone = true;
        on.ready();
      }
    },
    message: (event) => on.receive(event),
    end: (code, reason, wasClean, error) => end({ code, reason, wasClean, error }),
  });
  const connection: Connection = {
    endpoint,
    socket,
    handshakeDone: false,
    get isOver() {
      return isOver;
    },
    spreadMs: 0,
    replayed: false,
    buffered: [],
    pendingPings: [],
    lastInboundAt: env.now(),
    sent: 0,
    confirmed: 0,
    send(frame) {
      connection.sent += 1;
      socket.send(frame);
    },
    takeForHandshake: inbox.take,
    detach() {
      isOver = true;
      socket.detach();
      inbox.close();
    },
  };
  return connection;
}

interface Reader {
  resolve(data: unknown): void;
  reject(error: Error): void;
}

/** The frames of a handshake, and those who wait for one. Between `open` and `close` it takes every frame. */
function createInbox() {
  let readers: Reader[] | undefined;
  const unread: MessageEvent[] = [];

  const ended = () =>
    new FailoverError(
      'closed',
      'receive() was called or still waiting when the connection ended or the handshake had finished. Return from `handshake` when `receive` rejects.',
    );

  return {
    open(): void {
      readers = [];
    },
    /** Rejects those who wait. */
    close(): void {
      for (const { reject } of readers ?? []) reject(ended());
      readers = undefined;
    },
    take(event: MessageEvent): boolean {
      if (!readers) return false;
      const reader = readers.shift();
      if (reader) reader.resolve(event.data);
      else unread.push(event);
      return true;
    },
    /** Resolves with the next frame's data. */
    read: (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const early = unread.shift();
        if (early) resolve(early.data);
        else if (readers) readers.push({ resolve, reject });
        else reject(ended());
      }),
    takeUnread: (): MessageEvent[] => unread.splice(0),
  };
}
