/** A node in its own process: serves `ws`, drains on SIGTERM, reports on stdout. Its settings are JSON in `argv`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { drain, nodeIdentity } from '../../src/server/index.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as { failing?: boolean; handled?: boolean };
const { failing, handled, ...options } = settings;
// As in an app that reports its errors elsewhere.
if (handled) process.on('unhandledRejection', (error) => console.log(`reported: ${String(error)}`));
const server = createServer((_, response) => response.end(leaving.draining ? 'draining' : 'serving'));
const clients = new WebSocketServer({ server });
const leaving = drain(server, {
  clients,
  ...options,
  onDrain: () => console.log('drain'),
  onDrained() {
    console.log('drained');
    if (failing) throw new Error('no database');
  },
});
nodeIdentity({ id: 'child', clients });
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
