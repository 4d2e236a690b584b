/**
 * SockJS without its client: the WebSocket paths and the framing of a SockJS server (a stock Meteor server for one), so that
 * every dial has a path of its own. No `/info` request, no fallback transports.
 *
 * @example
 * import { DDPClient } from 'failover-websocket/ddp';
 * import { sockjsUrl, sockjsWebSocket } from 'failover-websocket/sockjs';
 *
 * const ddp = new DDPClient(sockjsUrl('wss://example.org/sockjs'), { env: { WebSocket: sockjsWebSocket(WebSocket) } });
 *
 * @module
 */
export { sockjsUrl } from './framing.ts';
export { sockjsWebSocket } from './socket.ts';
