import { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import { resolveOptions, type FailoverOptions, type UrlSource } from '../core/api/options.ts';
import { sockjsUrl } from './framing.ts';
import { sockjsWebSocket } from './socket.ts';

type Endpoints = string | URL | readonly string[];

/**
 * Creates a FailoverWebSocket that speaks SockJS's framing. Use it as it is, or pass `overSockjs` itself to `DDPClient` as the
 * third argument. Text only: `send` throws a TypeError for binary data.
 *
 * @example
 * import { overSockjs } from 'failover-websocket/sockjs';
 *
 * const ws = overSockjs('wss://example.org/sockjs', { policy: 'fast' });
 * ws.onmessage = ({ data }) => console.log(data);
 *
 * @param url one SockJS endpoint, several, or a function that returns them, as for FailoverWebSocket
 * @param options the options of FailoverWebSocket; `env.WebSocket` is the class underneath the framing
 * @throws RangeError for a bad option, with its name and value
 * @throws SyntaxError (DOMException) for a URL that cannot be dialled
 * @throws FailoverError `unsupported` if the environment has no WebSocket class
 */
export function overSockjs(url: UrlSource, options: FailoverOptions = {}): FailoverWebSocket {
  const { WebSocket: Native } = resolveOptions(options).env;
  const toWebSocketUrls = (endpoints: Endpoints) =>
    Array.isArray(endpoints) ? endpoints.map(sockjsUrl) : sockjsUrl(endpoints as string | URL);
  const source: UrlSource =
    typeof url === 'function'
      ? (context) => {
          const provided = url(context);
          return provided instanceof Promise ? provided.then(toWebSocketUrls) : toWebSocketUrls(provided);
        }
      : toWebSocketUrls(url);
  return new FailoverWebSocket(source, undefined, {
    ...options,
    // Without a WebSocket class, FailoverWebSocket throws the error that says so.
    env: { ...options.env, ...(Native && { WebSocket: sockjsWebSocket(Native) }) },
  });
}
