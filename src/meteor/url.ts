import type { RuntimeConfig } from './shape.ts';

/**
 * Resolves a URL to the endpoint that Meteor's own client would connect to: that of the SockJS server, or the raw WebSocket.
 *
 * @param rawUrl the URL given to `DDP.connect`: `/`, `app.example.org`, `https://…`, `ddp+sockjs://ddp--****-…/sockjs`
 * @param randomDigit returns a digit for each `*` in the host of the last form
 */
export function endpointOf(
  rawUrl: string,
  isRaw: boolean,
  { ROOT_URL, ROOT_URL_PATH_PREFIX = '' }: RuntimeConfig,
  randomDigit: () => number,
): string {
  const [, insecure, host, path] = /^ddp(i?)\+sockjs:\/\/([^/]*)(.*)/s.exec(rawUrl) ?? [];
  if (host !== undefined)
    return `http${insecure ? '' : 's'}://${host.replace(/\*/g, () => String(randomDigit()))}${path}`;
  let url = rawUrl;
  if (!url.startsWith('/')) url = url.includes('://') ? url : `http://${url}`;
  // As in Meteor, a path is relative to the app's root. For the raw WebSocket that is the configured root, not the page's.
  else url = isRaw && ROOT_URL ? ROOT_URL.replace(/\/?$/, url) : ROOT_URL_PATH_PREFIX + url;
  return url.replace(/\/?$/, isRaw ? '/websocket' : '/sockjs');
}
