/** As ES modules, which Jest runs with Node's --experimental-vm-modules. */
import { expect, test } from '@jest/globals';
import * as core from 'failover-websocket';
import * as ddp from 'failover-websocket/ddp';
import * as meteor from 'failover-websocket/meteor';
import * as server from 'failover-websocket/server';
import * as sockjs from 'failover-websocket/sockjs';
import { Server, WebSocket } from 'mock-socket';
import { talk } from './talk.cjs';

test('by import', () => talk({ core, ddp, meteor, server, sockjs, Server, WebSocket, expect }));
