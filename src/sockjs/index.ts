/**
 * SockJS without its client: the WebSocket paths and the framing of a SockJS server (a stock Meteor server for one), so that
 * every dial has a path of its own. No `/info` request, no fallback transports.
 *
 * @example
 * import { DDPClient } from 'failover-websocket/ddp';
 * import { overSockjs } from 'failover-websocket/sockjs';
 *
 * const ddp = new DDPClient('wss://example.org/sockjs', { policy: 'fast' }, overSockjs);
 *
 * @module
 */
export { sockjsUrl } from './framing.ts';
export { overSockjs } from './link.ts';
export { sockjsWebSocket } from './socket.ts';
