import type { RuntimeConfig } from './shape.ts';

/**
 * Where Meteor's own client would connect to: the endpoint of its SockJS server or its raw WebSocket.
 *
 * @param rawUrl as given to `DDP.connect`: `/`, `app.example.org`, `https://…`, `ddp+sockjs://ddp--****-…/sockjs`
 * @param digit a random digit, for each `*` in the host of the last form
 */
export function endpointOf(
  rawUrl: string,
  raw: boolean,
  { ROOT_URL, ROOT_URL_PATH_PREFIX = '' }: RuntimeConfig,
  digit: () => number,
): string {
  const [, insecure, host, path] = /^ddp(i?)\+sockjs:\/\/([^/]*)(.*)/s.exec(rawUrl) ?? [];
  if (host !== undefined)
    return `http${insecure ? '' : 's'}://${host.replace(/\*/g, () => String(digit()))}${path}`;
  let url = rawUrl;
  if (!url.startsWith('/')) url = url.includes('://') ? url : `http://${url}`;
  // As in Meteor: relative to the app's root, which for the raw WebSocket is the configured one and not the page's.
  else url = raw && ROOT_URL ? ROOT_URL.replace(/\/?$/, url) : ROOT_URL_PATH_PREFIX + url;
  return url.replace(/\/?$/, raw ? '/websocket' : '/sockjs');
}
