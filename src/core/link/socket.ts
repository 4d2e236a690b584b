import ReconnectingWebSocket from 'reconnecting-websocket';
import type { Env } from '../env/env.ts';
import type { Frame } from '../api/frame.ts';

/**
 * The only door to reconnecting-websocket (RWS). It opens each socket; what it would decide by itself (pacing, retrying,
 * queueing, timing out) is switched off and decided by us.
 *
 * One RWS serves one dial and is never reused, because several of its faults are in reuse: a rejecting URL provider, or a
 * `close()` during a dial, leave it dead for ever. It is parked before it is needed: its URL promise stays pending until we
 * dial, so its own start-up timer (1 s in a hidden Firefox tab) has fired by then. Its `WebSocket` option is our door to the
 * native socket, whose events and close codes we see unfiltered.
 */

/** The largest delay that a timer takes (2³¹ − 1 ms), and larger than any deadline of ours. Infinity would fire at once. */
const NEVER_MS = 0x7fffffff;

export interface SocketHandlers {
  open(): void;
  message(event: MessageEvent): void;
  /** Called once, and never after `detach`. `thrown`: what the WebSocket constructor itself threw. */
  end(code: number, reason: string, wasClean: boolean, thrown?: unknown): void;
}

/** A native socket under way or open. */
export interface Socket {
  /** Undefined in the moment before the native socket is constructed. */
  native(): WebSocket | undefined;
  setBinaryType(type: BinaryType): void;
  send(frame: Frame): void;
  /** Asks for an orderly end; `end` follows. */
  close(code?: number, reason?: string): void;
  /** Closes it and drops its events: a socket that hangs raises `close` up to 90 s later. */
  detach(): void;
}

export interface Dialler {
  dial(url: string, protocols: string | string[] | undefined, handlers: SocketHandlers): Socket;
  dispose(): void;
}

/** Dials with an RWS that was made ahead of need. */
type Parked = Dialler['dial'] & { readonly rws: ReconnectingWebSocket };

/** Dials native sockets through parked RWS instances. */
export function createDialler(env: Env): Dialler {
  let spare = park(env);
  return {
    dial(url, protocols, handlers) {
      const socket = spare(url, protocols, handlers);
      spare = park(env);
      return socket;
    },
    dispose: () => spare.rws.close(),
  };
}

function park(env: Env): Parked {
  const Native = env.WebSocket!;
  let resolveUrl!: (url: string) => void;
  let wantedProtocols: string | string[] | undefined;
  let handlers: SocketHandlers | undefined;
  let native: WebSocket | undefined;
  const url = new Promise<string>((resolve) => (resolveUrl = resolve));

  const end: SocketHandlers['end'] = (...how) => {
    const last = handlers;
    handlers = undefined;
    last?.end(...how);
  };
  // RWS calls it with `new` and drives what it returns.
  function Seam(at: string): unknown {
    try {
      native = (
        wantedProtocols === undefined ? new Native(at) : new Native(at, wantedProtocols)
      ) as WebSocket;
    } catch (thrown) {
      queueMicrotask(() => end(1006, '', false, thrown));
      return INERT;
    }
    native.addEventListener('open', () => handlers?.open());
    native.addEventListener('message', (event) => handlers?.message(event));
    native.addEventListener('close', (event) => end(event.code, event.reason, event.wasClean));
    // `error` says nothing that `close` does not. Without a listener it would be an uncaught exception in `ws`.
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
  const dial: Dialler['dial'] = (at, protocols, wire) => {
    wantedProtocols = protocols;
    handlers = wire;
    resolveUrl(at);
    return {
      native: () => native,
      // Set through RWS, which would otherwise set its own again when the socket opens.
      setBinaryType: (type) => void (rws.binaryType = type),
      send: (frame) => native?.send(frame),
      close: (code, reason) => rws.close(code, reason),
      detach() {
        handlers = undefined;
        rws.close();
      },
    };
  };
  return Object.assign(dial, { rws });
}

/** Stands in for a socket that could not be constructed, so that RWS neither throws nor waits. */
const INERT = { readyState: 3, addEventListener() {}, removeEventListener() {}, close() {} };
