import { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import { resolveOptions, type FailoverOptions, type UrlSource } from '../core/api/options.ts';
import { sockjsUrl } from './framing.ts';
import { sockjsWebSocket } from './socket.ts';

type Addresses = string | URL | readonly string[];

/**
 * A FailoverWebSocket that speaks SockJS's framing, for `DDPClient` as its third argument or for use as it is.
 *
 * @param url SockJS endpoints, as for FailoverWebSocket: `wss://example.org/sockjs`
 * @throws as FailoverWebSocket does
 */
export function overSockjs(url: UrlSource, options: FailoverOptions = {}): FailoverWebSocket {
  const { WebSocket: Native } = resolveOptions(options).env;
  const endpoint = (addresses: Addresses) =>
    Array.isArray(addresses) ? addresses.map(sockjsUrl) : sockjsUrl(addresses as string | URL);
  const from: UrlSource =
    typeof url === 'function'
      ? (context) => {
          const asked = url(context);
          return asked instanceof Promise ? asked.then(endpoint) : endpoint(asked);
        }
      : endpoint(url);
  return new FailoverWebSocket(from, undefined, {
    ...options,
    // Without one FailoverWebSocket itself says what is missing.
    env: { ...options.env, ...(Native && { WebSocket: sockjsWebSocket(Native) }) },
  });
}
