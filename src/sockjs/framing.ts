/** SockJS's framing over WebSocket (sockjs-protocol 0.3.3): pure functions, nothing of the world. */

/** A frame from the server. */
export type SockJSFrame =
  /** `o`: the session is open. */
  | { readonly type: 'open' }
  /** `h`: the server lives. */
  | { readonly type: 'heartbeat' }
  /** `a[…]`: messages, in order. */
  | { readonly type: 'messages'; readonly messages: readonly string[] }
  /** `c[code,reason]`: the server ends the session. */
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'malformed' };

/** Takes a frame apart. The wire is hostile: what is not exactly a frame is malformed. Its size is the caller's business. */
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
    // no JSON, or none at all
  }
  return { type: 'malformed' };
}

/** RFC 6455 7.4 has those from 1000 to 4999; servers use some below 3000 here, 2010 for one. */
const isCloseCode = (code: unknown): code is number =>
  Number.isInteger(code) && Number(code) >= 1_000 && Number(code) < 5_000;

/** The frame that carries one message to the server. */
export const messageFrame = (message: string): string => JSON.stringify([message]);

/**
 * The address of a SockJS endpoint's WebSockets, with a path of its own for every dial: `{attempt}` is replaced when it is
 * dialled. Servers route any server and session id without dots and slashes (sockjs-node; three digits for the server are
 * a convention of its client). A query stays; an address that ends in `/websocket` already is returned as it is.
 *
 * @param base the endpoint: `wss:`, `ws:`, `https:`, `http:` or relative to the page
 */
export function sockjsUrl(base: string | URL): string {
  const [, path, query = ''] = /^([^?#]*?)\/*([?#].*)?$/s.exec(String(base))!;
  // A host may have that name too.
  return /(^|[^/])\/websocket$/.test(path!) ? String(base) : `${path}/{attempt}/{attempt}/websocket${query}`;
}
