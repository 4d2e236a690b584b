/** SockJS's framing over WebSocket (sockjs-protocol 0.3.3), as pure functions. */

/** A frame from the server. */
export type SockJSFrame =
  /** `o`: the session is open. */
  | { readonly type: 'open' }
  /** `h`: the server is alive. */
  | { readonly type: 'heartbeat' }
  /** `a[…]`: messages, in order. */
  | { readonly type: 'messages'; readonly messages: readonly string[] }
  /** `c[code,reason]`: the server ends the session. */
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'malformed' };

/** Parses a frame. The peer is not trusted: anything but an exact frame is malformed. The caller limits the size. */
export function parseFrame(data: unknown): SockJSFrame {
  if (data === 'o') return { type: 'open' };
  if (data === 'h') return { type: 'heartbeat' };
  const [, type, json] = (typeof data === 'string' && /^([ac])(\[.*)/s.exec(data)) || [];
  try {
    const content = JSON.parse(json!) as unknown[];
    const [code, reason] = content;
    if (type === 'a') {
      if (content.every((message) => typeof message === 'string'))
        return { type: 'messages', messages: content };
    } else if (isCloseCode(code) && typeof reason === 'string' && content.length === 2) {
      return { type: 'close', code, reason };
    }
  } catch {
    // Not JSON, or no frame with content at all.
  }
  return { type: 'malformed' };
}

/** RFC 6455 7.4 allows 1000 to 4999. SockJS servers also send codes below 3000, such as 2010. */
const isCloseCode = (code: unknown): code is number =>
  Number.isInteger(code) && Number(code) >= 1_000 && Number(code) < 5_000;

/** The frame that carries one message to the server. */
export const messageFrame = (message: string): string => JSON.stringify([message]);

/**
 * Makes the WebSocket URL of a SockJS endpoint, with a new path for every dial: a `FailoverWebSocket` replaces each `{attempt}`
 * by a token when it dials. A query is kept. A URL that ends in `/websocket` already is returned as it is.
 *
 * @example
 * sockjsUrl('wss://example.org/sockjs'); // 'wss://example.org/sockjs/{attempt}/{attempt}/websocket'
 *
 * @param base the endpoint: a `wss:`, `ws:`, `https:` or `http:` URL, or one relative to the page
 */
export function sockjsUrl(base: string | URL): string {
  const [, path, query = ''] = /^([^?#]*?)\/*([?#].*)?$/s.exec(String(base))!;
  // Servers accept any server and session id without dots and slashes (sockjs-node). Three digits for the server are only a
  // convention of the SockJS client. The first part of the pattern spares a host that is called `websocket`.
  return /(^|[^/])\/websocket$/.test(path!) ? String(base) : `${path}/{attempt}/{attempt}/websocket${query}`;
}
