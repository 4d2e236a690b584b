/** What a node itself says, by the least DDP there is: nothing of the library that is measured. */
import { WebSocket } from 'ws';
import type { Cluster } from '../../demo/cluster.ts';

/** A todo as `bench.documents()` of a page has it. */
export type Todo = readonly [id: string, text: string, done: boolean, createdAt: number];

interface Message {
  msg?: string;
  id?: string;
  result?: unknown;
  fields?: { text: string; done: boolean; createdAt: { $date: number } };
}

/** One conversation with a node that runs, past the balancer. */
async function talk<T>(
  cluster: Cluster,
  ask: object[],
  hear: (message: Message, done: (value: T) => void) => void,
): Promise<T> {
  const { nodes } = await cluster.state();
  const node = nodes.find(({ app }) => app === 'running');
  if (node === undefined) throw new Error('No node runs, so there is nobody to ask.');
  const socket = new WebSocket(`ws://127.0.0.1:${node.port}/websocket`);
  try {
    return await new Promise<T>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () =>
        reject(new Error(`Node ${node.id} closed the connection before it answered.`)),
      );
      socket.on('open', () => {
        for (const message of [{ msg: 'connect', version: '1', support: ['1'] }, ...ask])
          socket.send(JSON.stringify(message));
      });
      socket.on('message', (data) => hear(JSON.parse(String(data)) as Message, resolve));
    });
  } finally {
    socket.close();
  }
}

/** Sorted by id. */
export function serverTodos(cluster: Cluster): Promise<Todo[]> {
  const todos: Todo[] = [];
  return talk(cluster, [{ msg: 'sub', id: '1', name: 'todos', params: [] }], ({ msg, id, fields }, done) => {
    if (msg === 'added' && fields !== undefined)
      todos.push([id!, fields.text, fields.done, fields.createdAt.$date]);
    if (msg === 'ready') done(todos.sort(([x], [y]) => (x < y ? -1 : 1)));
  });
}

/** Where these counters stand. */
export async function serverCounters(
  cluster: Cluster,
  keys: readonly string[],
): Promise<Record<string, number>> {
  const counters: Record<string, number> = {};
  if (keys.length === 0) return counters;
  const ask = keys.map((key, i) => ({ msg: 'method', id: String(i), method: 'count', params: [key] }));
  let left = keys.length;
  return talk(cluster, ask, ({ msg, id, result }, done) => {
    if (msg !== 'result') return;
    // Asking raises it by one.
    counters[keys[Number(id)]!] = Number(result) - 1;
    if (--left === 0) done(counters);
  });
}
