import { FailoverError } from '../api/errors.ts';
import type { ConnectionEnd } from '../rules/classify.ts';
import type { Liveness } from '../rules/liveness.ts';
import type { Notice } from '../rules/notices.ts';
import type { ResolvedOptions } from '../api/options.ts';
import type { Frame } from '../api/frame.ts';
import type { Dialler, Socket } from './socket.ts';
import type { Where } from './endpoints.ts';

export interface ConnectionHandlers {
  /** The native socket is open; the handshake, if there is one, begins. */
  opened(): void;
  /** Open and through its handshake: frames of the app may go out. */
  ready(): void;
  /** Something came in: the peer lives. True if it only answers a ping of ours and is none of the app's. */
  heard(data: unknown): boolean;
  /** A frame for the app. */
  frame(event: MessageEvent): void;
  /** Ended by itself, or its handshake failed. */
  ended(end: ConnectionEnd): void;
}

/** One socket from its dial to its end: handshake, what was heard and sent on it, which node it leads to. */
export interface Connection extends Liveness {
  readonly where: Where;
  readonly socket: Socket;
  openedAt?: number;
  /** Through its handshake. */
  shaken: boolean;
  firstHeardAt?: number | undefined;
  /** As `identify` or the server's notice named it. */
  node?: string | undefined;
  /** How widely its clients are to spread if it is lost, as it said, ms. */
  spreadMs: number;
  /** Its node has said that it goes away, and that is still to be acted on. */
  parting?: Extract<Notice, { msg: 'drain' }> | undefined;
  /** What the app subscribed to was sent on it, ahead of its becoming current. */
  replayed: boolean;
  /** Frames for the app that came before it was current. */
  readonly held: MessageEvent[];
  /** The pings whose own answers are outstanding, and how many frames of the app went before each. */
  readonly asked: { readonly at: number; readonly sent: number }[];
  /** Frames of the app handed to the socket. */
  sent: number;
  /** How many of them an answered ping has proven to have arrived (TCP keeps order). */
  confirmed: number;
  send(frame: Frame): void;
  /** Forgets the socket: nothing of it is heard any more. */
  detach(): void;
}

export function connect(
  dialler: Dialler,
  where: Where,
  { env, handshake }: ResolvedOptions,
  on: ConnectionHandlers,
): Connection {
  let over = false;
  /** Handshake under way: those who wait for a frame. */
  let waiting: { resolve: (data: unknown) => void; reject: (error: Error) => void }[] | undefined;
  /** Frames of a handshake that nobody waited for yet. */
  const inbox: MessageEvent[] = [];

  const gone = () => new FailoverError('closed', 'receive: ended');
  const stopWaiting = () => {
    for (const { reject } of waiting ?? []) reject(gone());
    waiting = undefined;
  };
  const end = (how: ConnectionEnd) => {
    if (over) return;
    over = true;
    stopWaiting();
    on.ended(how);
  };
  const send = (frame: Frame) => {
    if (!over) socket.send(frame);
  };
  const receive = () =>
    new Promise<unknown>((resolve, reject) => {
      const early = inbox.shift();
      if (early) resolve(early.data);
      else if (waiting) waiting.push({ resolve, reject });
      else reject(gone());
    });
  const shake = async (shaker: NonNullable<typeof handshake>) => {
    waiting = [];
    try {
      await shaker(send, receive);
    } catch (error) {
      if (over) return;
      socket.detach();
      end({ code: 0, reason: '', wasClean: false, error });
    }
    if (over) return;
    stopWaiting();
    connection.shaken = true;
    on.ready();
    // Frames that came in while nobody asked for them belong to the app.
    for (const event of inbox.splice(0)) if (!over) on.frame(event);
  };

  const socket = dialler.dial(where.url, where.protocols, {
    open() {
      connection.openedAt = connection.heardAt = env.now();
      on.opened();
      if (handshake) void shake(handshake);
      else {
        connection.shaken = true;
        on.ready();
      }
    },
    message(event) {
      connection.heardAt = env.now();
      connection.firstHeardAt ??= connection.heardAt;
      if (on.heard(event.data) || over) return;
      if (!waiting) on.frame(event);
      else if (waiting.length) waiting.shift()!.resolve(event.data);
      else inbox.push(event);
    },
    end: (code, reason, wasClean, error) => end({ code, reason, wasClean, error }),
  });
  const connection: Connection = {
    where,
    socket,
    shaken: false,
    spreadMs: 0,
    replayed: false,
    held: [],
    asked: [],
    heardAt: env.now(),
    sent: 0,
    confirmed: 0,
    send(frame) {
      connection.sent += 1;
      socket.send(frame);
    },
    detach() {
      over = true;
      socket.detach();
      stopWaiting();
    },
  };
  return connection;
}
