/**
 * The todos as a person sees them: the server's documents, with unconfirmed changes laid over them. A change is dropped when
 * its call settles. The DDP client settles a call after the documents show its effect, so nothing flickers and nothing shows
 * twice.
 */

import { randomId } from './ids.js';

/** How long a change may wait through an outage before it shows as failed. The person can then try it again. */
const WAIT_MS = 10 * 60_000;

/**
 * @param ddp a DDPClient
 * @param on `changed()` after a change, at most once per task; `seen(event, document)` for each event of the collection
 */
export function todoModel(ddp, on) {
  const documents = new Map();
  /** Unconfirmed and failed changes, in the order they were made. */
  const changes = new Set();

  let announced = false;
  const changed = () => {
    if (announced) return;
    announced = true;
    queueMicrotask(() => {
      announced = false;
      on.changed();
    });
  };

  const keep = (event) => (document) => {
    if (event === 'removed') documents.delete(document._id);
    else documents.set(document._id, document);
    on.seen(event, document);
    changed();
  };
  ddp
    .collection('todos')
    .observe({ added: keep('added'), changed: keep('changed'), removed: keep('removed') });

  async function send(change) {
    changes.add(change);
    change.error = undefined;
    changed();
    try {
      await ddp.apply(change.method, change.params, { timeoutMs: WAIT_MS });
      changes.delete(change);
    } catch (error) {
      change.error = error;
    }
    changed();
  }

  const patch = (id, fields) => (todos) => {
    const todo = todos.get(id);
    if (todo !== undefined) Object.assign(todo, fields, { pending: true });
  };

  return {
    add(text) {
      const id = randomId();
      const createdAt = Date.now();
      const change = {
        what: `“${text}” was not saved`,
        method: 'todos.add',
        params: [id, text],
        // A failed todo stays in the list: what a person typed is never thrown away.
        lay(todos, error) {
          if (todos.has(id)) return; // The server's document has arrived already.
          const failed = error === undefined ? undefined : change;
          todos.set(id, { id, text, done: false, createdAt, pending: true, failed });
        },
      };
      void send(change);
    },
    setDone(todo, done) {
      void send({
        what: `“${todo.text}” could not be marked as ${done ? 'done' : 'not done'}`,
        method: 'todos.setDone',
        params: [todo.id, done],
        lay: unlessFailed(patch(todo.id, { done })),
      });
    },
    rename(todo, text) {
      void send({
        what: `“${todo.text}” could not be renamed to “${text}”`,
        method: 'todos.rename',
        params: [todo.id, text],
        lay: unlessFailed(patch(todo.id, { text })),
      });
    },
    remove(todo) {
      if (todo.failed !== undefined) return this.dismiss(todo.failed);
      void send({
        what: `“${todo.text}” could not be removed`,
        method: 'todos.remove',
        params: [todo.id],
        lay: unlessFailed((todos) => todos.delete(todo.id)),
      });
    },
    clearDone() {
      void send({
        what: 'The done todos could not be cleared',
        method: 'todos.clearDone',
        params: [],
        lay: unlessFailed((todos) => {
          for (const [id, todo] of todos) if (todo.done) todos.delete(id);
        }),
      });
    },
    /** Tries a failed change again. The call has the same ids, so the change cannot happen twice. */
    retry: (change) => void send(change),
    dismiss(change) {
      changes.delete(change);
      changed();
    },
    failures: () => [...changes].filter((change) => change.error !== undefined),
    /** In the server's order: by time of creation, then by id. `failed` is the failed add of a todo that the server does not know. */
    todos() {
      const todos = new Map();
      for (const [id, { text, done, createdAt }] of documents) {
        todos.set(id, { id, text, done, createdAt: Number(createdAt), pending: false, failed: undefined });
      }
      for (const change of changes) change.lay(todos, change.error);
      return [...todos.values()].sort((x, y) => x.createdAt - y.createdAt || (x.id < y.id ? -1 : 1));
    },
  };
}

const unlessFailed = (lay) => (todos, error) => {
  if (error === undefined) lay(todos);
};
