/** What a node and the embedded store say to each other: one JSON value per line. */
import type { Change, Todo, TodoOperation } from './store.ts';

/** Sent by a node; answered by the result with the same id. */
export type StoreRequest = { id: number } & (
  { write: TodoOperation } | { increment: string } | { clear: true }
);

/** Sent by the store: all todos to a new node, changes to all nodes, and the result of a request. */
export type StoreMessage =
  { todos: [string, Todo][] } | { changes: Change[] } | { id: number; result: number };
