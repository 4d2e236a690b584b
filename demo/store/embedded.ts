/** A node's connection to the embedded store. */
import { connect, type Socket } from 'node:net';
import { onLines } from './lines.ts';
import type { StoreMessage, StoreRequest } from './protocol.ts';
import { Mirror, type Store } from './store.ts';

/** A request without its id, for each kind of request. */
type Request = StoreRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

/**
 * Connects a node to the embedded store; resolves when the todos are loaded, rejects when the store cannot be reached.
 *
 * @param onLost called when the connection ends before `close`
 */
export async function connectEmbeddedStore(port: number, onLost: () => void): Promise<Store> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const mirror = new Mirror();
  const pending = new Map<number, (result: number) => void>();
  let nextId = 1;

  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () =>
      reject(new Error('The store closed the connection before it sent the todos.')),
    );
    onLines(socket, (text) => {
      const message = JSON.parse(text) as StoreMessage;
      if ('todos' in message) {
        mirror.replace(message.todos);
        resolve();
      } else if ('changes' in message) mirror.apply(message.changes);
      else {
        pending.get(message.id)?.(message.result);
        pending.delete(message.id);
      }
    });
  });
  socket.on('error', () => {});
  socket.on('close', onLost);

  const send = (request: Request): Promise<number> =>
    new Promise((resolve) => {
      const id = nextId++;
      pending.set(id, resolve);
      socket.write(`${JSON.stringify({ id, ...request })}\n`);
    });

  return {
    todos: mirror.todos,
    onChange: (listener) => mirror.onChange(listener),
    write: (operation) => send({ write: operation }),
    increment: (key) => send({ increment: key }),
    clear: async () => void (await send({ clear: true })),
    close: () => disconnect(socket, onLost),
  };
}

function disconnect(socket: Socket, onLost: () => void): Promise<void> {
  socket.off('close', onLost);
  return new Promise((resolve) => {
    if (socket.closed) return resolve();
    socket.once('close', () => resolve());
    socket.destroy();
  });
}
