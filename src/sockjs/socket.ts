import { CLOSED, closeEvent, CLOSING, CONNECTING, messageEvent, OPEN } from '../core/facade/dom-events.ts';
import type { WebSocketConstructor } from '../core/env/env.ts';
import { messageFrame, parseFrame } from './framing.ts';

/**
 * Makes a WebSocket class that speaks SockJS's framing over a native one.
 *
 * - `open` is dispatched when the server has opened the session, `message` for each message in a frame.
 * - `close` has the code and reason that the server gave.
 * - The server's heartbeats are dispatched as `heartbeat` events.
 * - A malformed frame ends the connection with code 1002.
 * - Text only: `send` throws a TypeError for binary data.
 *
 * @example
 * import { FailoverWebSocket } from 'failover-websocket';
 * import { sockjsUrl, sockjsWebSocket } from 'failover-websocket/sockjs';
 *
 * const ws = new FailoverWebSocket(sockjsUrl('wss://example.org/sockjs'), undefined, {
 *   env: { WebSocket: sockjsWebSocket(WebSocket) },
 * });
 *
 * @param Native the class underneath: the browser's `WebSocket`, or one that behaves like it (on Node 20, `ws`)
 */
export function sockjsWebSocket(Native: WebSocketConstructor): typeof WebSocket {
  return class SockJSWebSocket extends EventTarget implements WebSocket {
    static readonly CONNECTING = CONNECTING;
    static readonly OPEN = OPEN;
    static readonly CLOSING = CLOSING;
    static readonly CLOSED = CLOSED;
    readonly CONNECTING = CONNECTING;
    readonly OPEN = OPEN;
    readonly CLOSING = CLOSING;
    readonly CLOSED = CLOSED;

    declare addEventListener: WebSocket['addEventListener'];
    declare removeEventListener: WebSocket['removeEventListener'];
    declare onopen: WebSocket['onopen'];
    declare onmessage: WebSocket['onmessage'];
    declare onerror: WebSocket['onerror'];
    declare onclose: WebSocket['onclose'];
    /** Has no effect, since there is no binary data. */
    binaryType: BinaryType = 'blob';

    readonly #wire: WebSocket;
    #state = CONNECTING;

    constructor(url: string | URL, protocols?: string | string[]) {
      super();
      const wire = (this.#wire = new Native(String(url), protocols ?? []) as WebSocket);
      for (const type of ['open', 'message', 'error', 'close'] as const) {
        this[`on${type}`] = null;
        this.addEventListener(type, (event) => this[`on${type}`]?.(event as never));
      }
      wire.addEventListener('message', (event) => this.#receive(event));
      // Ignored, because `close` follows and says more. Without a listener `ws` would throw an uncaught exception.
      wire.addEventListener('error', () => {});
      wire.addEventListener('close', ({ code, reason, wasClean }) => this.#end(code, reason, wasClean));
    }

    get url(): string {
      return this.#wire.url;
    }

    get readyState(): 0 | 1 | 2 | 3 {
      return this.#state as 0 | 1 | 2 | 3;
    }

    get protocol(): string {
      return this.#wire.protocol;
    }

    get extensions(): string {
      return this.#wire.extensions;
    }

    get bufferedAmount(): number {
      return this.#wire.bufferedAmount;
    }

    /**
     * Sends a message. After `close()` it is discarded, as by `WebSocket`.
     *
     * @throws TypeError for binary data
     * @throws InvalidStateError (DOMException) before `open`
     */
    send(message: unknown): void {
      if (typeof message !== 'string')
        throw new TypeError(
          `SockJS carries text only: expected a string, got ${Object.prototype.toString.call(message)}.`,
        );
      if (this.#state === CONNECTING)
        throw new DOMException(
          'The SockJS session is not open yet. Send after the `open` event.',
          'InvalidStateError',
        );
      if (this.#state === OPEN) this.#wire.send(messageFrame(message));
    }

    close(code?: number, reason?: string): void {
      if (this.#state >= CLOSING) return;
      this.#wire.close(code, reason);
      this.#state = Math.max(this.#state, CLOSING);
    }

    #receive({ data, origin }: MessageEvent): void {
      if (this.#state >= CLOSING) return;
      const frame = parseFrame(data);
      if (frame.type === 'heartbeat') {
        this.dispatchEvent(new Event(frame.type));
      } else if (frame.type === 'open' && this.#state === CONNECTING) {
        this.#state = OPEN;
        this.dispatchEvent(new Event(frame.type));
      } else if (frame.type === 'messages' && this.#state === OPEN) {
        for (const message of frame.messages) {
          // A listener may have called `close()`. As with WebSocket, nothing is delivered after that.
          if (this.#state === OPEN)
            this.dispatchEvent(messageEvent({ data: message, origin } as MessageEvent));
        }
      } else if (frame.type === 'close') {
        this.#end(frame.code, frame.reason, true);
      } else {
        // RFC 6455 7.4.1: protocol error.
        this.#end(1002, 'malformed frame', false);
      }
    }

    #end(code: number, reason: string, wasClean: boolean): void {
      if (this.#state === CLOSED) return;
      this.#state = CLOSED;
      // Without a code: script may not send 1002, and a server that has closed the session needs none.
      this.#wire.close();
      if (!wasClean) this.dispatchEvent(new Event('error'));
      this.dispatchEvent(closeEvent({ code, reason, wasClean }));
    }
  };
}
