/** The nodes' shared state: one small interface with two implementations, the embedded store and Redis. */

export interface Todo {
  text: string;
  done: boolean;
  /** EJSON's date: ms since the epoch, by the clock of the node that added it. */
  createdAt: { $date: number };
}

/** What happened to one todo; without `todo` it was removed. */
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
  /** This node's copy of the todos, kept current by the change feed. */
  readonly todos: ReadonlyMap<string, Todo>;
  /** Calls back after each change of `todos`, whichever node made it. Returns the unsubscribe function. */
  onChange(listener: (change: Change) => void): () => void;
  /**
   * Adding an id twice, or one that was ever removed, changes nothing, so that a call that is sent again does no harm.
   *
   * @returns how many todos changed; resolves once `todos` shows it
   */
  write(operation: TodoOperation): Promise<number>;
  /** Adds one to a shared counter and returns its value. */
  increment(key: string): Promise<number>;
  /** Forgets todos, tombstones and counters. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** The copy of the todos that both implementations keep, and the listeners told of its changes. */
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

  /** Takes over a whole state, telling only the differences. */
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

/** Todos in listing order: by age, then by id. */
export function listed(todos: ReadonlyMap<string, Todo>): [string, Todo][] {
  return [...todos].sort(
    ([idA, a], [idB, b]) => a.createdAt.$date - b.createdAt.$date || (idA < idB ? -1 : idA > idB ? 1 : 0),
  );
}
