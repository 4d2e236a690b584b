/** By require, as code does that Babel has transformed. */
const { expect, test } = require('@jest/globals');
const core = require('failover-websocket');
const ddp = require('failover-websocket/ddp');
const meteor = require('failover-websocket/meteor');
const server = require('failover-websocket/server');
const sockjs = require('failover-websocket/sockjs');
const { Server, WebSocket } = require('mock-socket');
const { talk } = require('./talk.cjs');

test('by require', () => talk({ core, ddp, meteor, server, sockjs, Server, WebSocket, expect }));
