/**
 * The program of the embedded store: one process that holds the todos in memory. Nodes connect over TCP and send one JSON
 * value per line (see protocol.ts). Every change goes to all nodes before the answer to the call that made it.
 */
import { createServer, type Socket } from 'node:net';
import { listen } from '../net/ports.ts';
import { serveParent } from '../processes/serve-parent.ts';
import { onLines } from './lines.ts';
import type { StoreMessage, StoreRequest } from './protocol.ts';
import type { Change, Todo, TodoOperation } from './store.ts';

const todos = new Map<string, Todo>();
/** Ids that were removed. They never come back, so that a repeated `add` does no harm. */
const removed = new Set<string>();
const counters = new Map<string, number>();
const nodes = new Set<Socket>();

const toLine = (message: StoreMessage): string => `${JSON.stringify(message)}\n`;

function answer(request: StoreRequest): number {
  if ('write' in request) return publish(write(request.write));
  if ('increment' in request) {
    const value = (counters.get(request.increment) ?? 0) + 1;
    counters.set(request.increment, value);
    return value;
  }
  const changes = [...todos.keys()].map((id) => ({ id }));
  todos.clear();
  removed.clear();
  counters.clear();
  return publish(changes);
}

function publish(changes: Change[]): number {
  if (changes.length > 0) for (const node of nodes) node.write(toLine({ changes }));
  return changes.length;
}

function write(operation: TodoOperation): Change[] {
  if (operation.op === 'clearDone') {
    return [...todos].filter(([, { done }]) => done).flatMap(([id]) => remove(id));
  }
  const { id } = operation;
  switch (operation.op) {
    case 'add':
      if (todos.has(id) || removed.has(id)) return [];
      return put(id, { text: operation.text, done: false, createdAt: { $date: operation.at } });
    case 'setDone':
      return put(id, { ...todos.get(id), done: operation.done });
    case 'rename':
      return put(id, { ...todos.get(id), text: operation.text });
    case 'remove':
      return remove(id);
  }
}

/** Stores a todo. A partial one means that the todo does not exist (any more), and changes nothing. */
function put(id: string, { text, done, createdAt }: Partial<Todo>): Change[] {
  if (text === undefined || done === undefined || createdAt === undefined) return [];
  const before = todos.get(id);
  if (before?.text === text && before.done === done) return [];
  const todo = { text, done, createdAt };
  todos.set(id, todo);
  return [{ id, todo }];
}

function remove(id: string): Change[] {
  removed.add(id);
  return todos.delete(id) ? [{ id }] : [];
}

const server = createServer({ noDelay: true }, (node) => {
  nodes.add(node);
  node.write(toLine({ todos: [...todos] }));
  node.on('error', () => {});
  node.on('close', () => nodes.delete(node));
  onLines(node, (text) => {
    const request = JSON.parse(text) as StoreRequest;
    const result = answer(request);
    node.write(toLine({ id: request.id, result }));
  });
});

serveParent({ start: () => listen(server, 0) });
