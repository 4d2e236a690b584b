/**
 * A DDP server of nothing but documents, as a process of its own: `docs` of them in ten collections, published by `subs`
 * subscriptions in equal parts, and again for every connection. Told `fail`, it changes every twentieth document behind the
 * clients' backs and cuts all connections, as a failover to a node that has moved on would look.
 */
import { WebSocketServer, type WebSocket } from 'ws';
import { CHANGED_EVERY, COLLECTIONS } from './shape.ts';

const [docs = 0, subs = 1] = process.argv.slice(2).map(Number);

let version = 0;
const fields = (id: number) => ({
  n: id,
  text: `document number ${id} of the collection`,
  done: id % 2 === 0,
  at: { $date: 1_700_000_000_000 + id },
  tags: ['one', 'two', `tag ${id % 7}`],
  version: id % CHANGED_EVERY === 0 ? version : 0,
});

function serve(socket: WebSocket): void {
  const say = (message: object) => socket.send(JSON.stringify(message));
  socket.on('message', (data) => {
    const message = JSON.parse((data as Buffer).toString()) as { msg: string; id: string; params: number[] };
    if (message.msg === 'connect') say({ msg: 'connected', session: 's' });
    else if (message.msg === 'ping') say({ msg: 'pong', id: message.id });
    else if (message.msg === 'unsub') say({ msg: 'nosub', id: message.id });
    else if (message.msg === 'sub') {
      const [nth = 0] = message.params;
      for (let id = nth; id < docs; id += subs)
        say({ msg: 'added', collection: `c${nth % COLLECTIONS}`, id: String(id), fields: fields(id) });
      say({ msg: 'ready', subs: [message.id] });
    }
  });
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.on('connection', serve);
server.on('listening', () => process.send!({ port: (server.address() as { port: number }).port }));
process.on('message', () => {
  version += 1;
  for (const client of server.clients) client.terminate();
});
process.on('disconnect', () => process.exit());
