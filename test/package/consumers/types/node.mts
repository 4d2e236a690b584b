/** A node, with Node's own types and those of `ws`. */
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { WebSocket, WebSocketServer } from 'ws';
import { FailoverWebSocket } from 'failover-websocket';
import { drain, nodeIdentity } from 'failover-websocket/server';

const http = createServer();
const clients = new WebSocketServer({ server: http });
nodeIdentity({ id: 'n1', clients });
drain(http, { clients: [clients, () => clients.clients], signals: ['SIGTERM'] });
drain(createSecureServer(), { clients: new Set<WebSocket>() });
new FailoverWebSocket('wss://example.org', [], { env: { WebSocket } });
