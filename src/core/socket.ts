import ReconnectingWebSocket from 'reconnecting-websocket';
import type { Env } from './env.ts';
import type { Frame } from './options.ts';

/**
 * The only door to reconnecting-websocket (RWS). It dials; everything it would decide by itself (pacing, retrying, queueing,
 * timing out) is switched off and decided by us. One RWS per dial, never reused, because several of its faults are in reuse:
 * a rejecting URL provider or a `close()` during a dial leave it dead for ever. It is parked before it is needed: its URL
 * promise stays pending until our own timer resolves it, so its own start-up timer (1 s in a hidden Firefox tab) has long
 * fired. Its `WebSocket` option is our door to the native socket, whose events and close codes we see unfiltered.
 */

/** Larger than any deadline of ours, and the largest delay that a timer takes (2³¹ − 1); Infinity would fire at once. */
const NEVER_MS = 0x7fffffff;

export interface SocketHandlers {
  open(): void;
  message(event: MessageEvent): void;
  /** Once, and never after `detach`. `thrown`: the WebSocket constructor itself refused. */
  end(code: number, reason: string, wasClean: boolean, thrown?: unknown): void;
}

/** A native socket under way or open. */
export interface Socket {
  readonly native: WebSocket;
  setBinaryType(type: BinaryType): void;
  send(frame: Frame): void;
  /** Asks for an orderly end; `end` will follow. */
  close(code: number, reason: string): void;
  /** No event of it will be seen any more, and it is closed: one that hangs raises `close` up to 90 s later. */
  detach(): void;
}

interface Parked {
  readonly rws: ReconnectingWebSocket;
  /** Lets the parked RWS construct its socket. */
  go(url: string, protocols: string | string[] | undefined, handlers: SocketHandlers): Socket;
}

/** Dials native sockets through parked RWS instances. */
export class Dialler {
  private spare: Parked | undefined;

  constructor(private readonly env: Env) {
    this.spare = this.park();
  }

  dial(url: string, protocols: string | string[] | undefined, handlers: SocketHandlers): Socket {
    const parked = this.spare ?? this.park();
    const socket = parked.go(url, protocols, handlers);
    this.spare = this.park();
    return socket;
  }

  dispose(): void {
    this.spare?.rws.close();
    this.spare = undefined;
  }

  private park(): Parked {
    const Native = this.env.WebSocket!;
    let resolveUrl!: (url: string) => void;
    let wanted: string | string[] | undefined;
    let handlers: SocketHandlers | undefined;
    let native: WebSocket | undefined;
    const url = new Promise<string>((resolve) => (resolveUrl = resolve));

    const end = (code: number, reason: string, wasClean: boolean, thrown?: unknown) => {
      const last = handlers;
      handlers = undefined;
      last?.end(code, reason, wasClean, thrown);
    };
    // Called with `new` by RWS; what it returns is what RWS drives.
    function Seam(at: string): WebSocket {
      try {
        native = wanted === undefined ? new Native(at) : new Native(at, wanted);
      } catch (thrown) {
        queueMicrotask(() => end(1006, '', false, thrown));
        return INERT;
      }
      native.addEventListener('open', () => handlers?.open());
      native.addEventListener('message', (event) => handlers?.message(event));
      native.addEventListener('close', (event) => end(event.code, event.reason, event.wasClean));
      // `error` says nothing that `close` does not; unheard it would be an uncaught exception in `ws`.
      native.addEventListener('error', () => {});
      return native;
    }
    const rws = new ReconnectingWebSocket(() => url, undefined, {
      WebSocket: Object.assign(Seam, { CLOSING: 2 }),
      maxRetries: 0,
      maxEnqueuedMessages: 0,
      minUptime: 0,
      connectionTimeout: NEVER_MS,
    });
    return {
      rws,
      go(at, protocols, wire) {
        wanted = protocols;
        handlers = wire;
        resolveUrl(at);
        return {
          get native() {
            return native ?? INERT;
          },
          // Through RWS, which would otherwise set its own again when the socket opens.
          setBinaryType(type) {
            rws.binaryType = type;
          },
          send: (frame) => native?.send(frame as string),
          close: (code, reason) => rws.close(code, reason),
          detach() {
            handlers = undefined;
            rws.close();
          },
        };
      },
    };
  }
}

/** Stands in for a socket that could not be constructed, so that RWS neither throws nor waits. */
const INERT = {
  readyState: 3,
  binaryType: 'blob',
  bufferedAmount: 0,
  url: '',
  protocol: '',
  extensions: '',
  addEventListener() {},
  removeEventListener() {},
  close() {},
  send() {},
} as unknown as WebSocket;
