/** The shared state of the nodes: one interface, which the embedded store and Redis implement. */

export interface Todo {
  text: string;
  done: boolean;
  /** An EJSON date: Unix time (ms), by the clock of the node that added the todo. */
  createdAt: { $date: number };
}

/** A change of one todo. Without `todo` it was removed. */
export interface Change {
  id: string;
  todo?: Todo;
}

export type TodoOperation =
  | { op: 'add'; id: string; text: string; at: number }
  | { op: 'setDone'; id: string; done: boolean }
  | { op: 'rename'; id: string; text: string }
  | { op: 'remove'; id: string }
  | { op: 'clearDone' };

export interface Store {
  /** This node's copy of the todos. The change feed keeps it current. */
  readonly todos: ReadonlyMap<string, Todo>;
  /**
   * Calls back after each change of `todos`, whichever node made it.
   *
   * @returns a function that removes the listener
   */
  onChange(listener: (change: Change) => void): () => void;
  /**
   * Adding an id that exists, or that was ever removed, changes nothing: a call that is sent twice does no harm.
   *
   * @returns how many todos changed; resolves once `todos` shows the change
   */
  write(operation: TodoOperation): Promise<number>;
  /** Adds one to a shared counter and returns its new value. */
  increment(key: string): Promise<number>;
  /** Forgets todos, tombstones and counters. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** The copy of the todos that both implementations keep, and its listeners. */
export class Mirror {
  readonly todos = new Map<string, Todo>();
  readonly #listeners = new Set<(change: Change) => void>();

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.todo) this.todos.set(change.id, change.todo);
      else if (!this.todos.delete(change.id)) continue;
      for (const listener of this.#listeners) listener(change);
    }
  }

  /** Replaces all todos, and reports only the differences. */
  replace(todos: readonly (readonly [string, Todo])[]): void {
    const next = new Map(todos);
    this.apply([...this.todos.keys()].filter((id) => !next.has(id)).map((id) => ({ id })));
    this.apply(
      [...next]
        .filter(([id, todo]) => JSON.stringify(this.todos.get(id)) !== JSON.stringify(todo))
        .map(([id, todo]) => ({ id, todo })),
    );
  }
}

/** Todos in listing order: by time of creation, then by id. */
export function listTodos(todos: ReadonlyMap<string, Todo>): [string, Todo][] {
  return [...todos].sort(
    ([idA, a], [idB, b]) => a.createdAt.$date - b.createdAt.$date || (idA < idB ? -1 : idA > idB ? 1 : 0),
  );
}
