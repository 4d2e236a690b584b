/**
 * SockJS without the SockJS client: the WebSocket paths and the framing of a SockJS server, such as a stock Meteor server. Every
 * dial has a new path. There is no `/info` request and no fallback to other transports.
 *
 * @module
 *
 * @example
 * import { DDPClient } from 'failover-websocket/ddp';
 * import { overSockjs } from 'failover-websocket/sockjs';
 *
 * const ddp = new DDPClient('wss://example.org/sockjs', { policy: 'fast' }, overSockjs);
 */
export { sockjsUrl } from './framing.ts';
export { overSockjs } from './link.ts';
export { sockjsWebSocket } from './socket.ts';
