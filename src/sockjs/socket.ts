import { CLOSED, closeEvent, CLOSING, CONNECTING, messageEvent, OPEN } from '../core/facade/dom-events.ts';
import type { WebSocketConstructor } from '../core/env/env.ts';
import { messageFrame, parseFrame } from './framing.ts';

/**
 * A WebSocket class that speaks SockJS's framing over a native one: `open` when the server has opened the session, one
 * `message` for each it sent, `close` with the code and reason it gave. Its heartbeats are dispatched as `heartbeat` events.
 * A frame that is none ends it with code 1002. Text only: `send` throws a TypeError for binary data.
 *
 * @param Native the class underneath: the browser's `WebSocket`, or one that behaves like it (`ws` in Node 20)
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
    /** Without effect: there is no binary data. */
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
      // `close` follows and says the same; unheard it would be an uncaught exception in `ws`.
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
     * @throws TypeError for binary data, InvalidStateError (DOMException) before `open`; after `close()` the message is
     *   discarded, as `WebSocket` does
     */
    send(message: unknown): void {
      if (typeof message !== 'string') throw new TypeError('SockJS: text only');
      if (this.#state === CONNECTING) throw new DOMException('SockJS: not open yet', 'InvalidStateError');
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
          // As in WebSocket: after `close()` nothing is delivered any more.
          if (this.#state === OPEN)
            this.dispatchEvent(messageEvent({ data: message, origin } as MessageEvent));
        }
      } else if (frame.type === 'close') {
        this.#end(frame.code, frame.reason, true);
      } else {
        this.#end(1002, 'malformed frame', false); // RFC 6455 7.4.1: protocol error
      }
    }

    #end(code: number, reason: string, wasClean: boolean): void {
      if (this.#state === CLOSED) return;
      this.#state = CLOSED;
      // Script may not choose 1002 here, and the server has said its word or is not worth one.
      this.#wire.close();
      if (!wasClean) this.dispatchEvent(new Event('error'));
      this.dispatchEvent(closeEvent({ code, reason, wasClean }));
    }
  };
}
