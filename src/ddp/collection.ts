import type { Doc, Docs, Document, Filter, Observer } from './document.ts';
import { equals } from './ejson.ts';
import type { DataMessage, DocumentId } from './messages.ts';
import { createListeners, createObservers, type Isolate, type RunEvents } from './observers.ts';
import { findMoved, mergeOrder, moveBefore, reorder } from './order.ts';
import { createSnapshots } from './snapshots.ts';

/**
 * The documents of one collection that the server has published to this client. They keep the order in which they arrived, or
 * the order the server gives them. Async iteration yields the snapshot of all documents and then each newer one; a slow reader
 * skips those in between. The iteration ends when the client is closed.
 *
 * @example
 * const todos = ddp.collection<{ text: string; done: boolean }>('todos');
 * todos.get('a1')?.text;
 * for await (const docs of todos) console.log(docs.length, 'todos');
 */
export interface Collection<T> extends AsyncIterable<readonly Document<T>[]> {
  readonly name: string;
  /** The number of documents. */
  readonly size: number;
  get(id: DocumentId): Document<T> | undefined;
  /**
   * Returns a frozen snapshot of all documents, or of those that pass the filter. While it would hold the same documents it is
   * the same array: per function, and per equal object.
   * @throws RangeError for a filter that is neither a function nor an object, and for values EJSON has no form for
   */
  find(filter?: Filter<T>): readonly Document<T>[];
  /**
   * Calls `added` for every document there is, then reports each change. An observer that throws does not affect others.
   * @throws RangeError unless `observer` has at least one handler, and functions only
   */
  observe(observer: Observer<T>): { stop(): void };
  /**
   * Calls the listener with the snapshot of all documents: now, and once after each change. A change of many documents, such as a
   * failover, is one call. A listener that throws does not affect others.
   *
   * This is the contract of a Svelte store. Together with `find` it fits React's `useSyncExternalStore`.
   * @returns a function that ends the subscription
   * @throws RangeError unless `listener` is a function
   * @example
   * const stop = ddp.collection('todos').subscribe((docs) => render(docs));
   */
  subscribe(listener: (docs: readonly Document<T>[]) => void): () => void;
}

/** A collection as the session sees it. */
export interface StoredCollection extends Collection<Record<string, unknown>> {
  /**
   * Applies one data message. As in Meteor's client, a second `added` is merged, a `changed` for a missing document adds it, and
   * a `removed` for a missing one does nothing: some servers do not track what each client has (`NO_MERGE` publications).
   */
  apply(message: DataMessage): void;
  /** Applies one data message of the leaving connection, while the data of the new one is withheld. */
  applyLate(message: DataMessage): void;
  /** From here on data is collected out of sight. */
  withhold(): void;
  /** See Store. */
  reveal(sweep: boolean, events: (() => void)[]): void;
  /** Calls listeners whose snapshot is out of date. */
  notifyListeners(): void;
}

/** @param isEnded whether the client is closed, so that no other data will come */
export function createCollection(
  name: string,
  isolate: Isolate,
  run: RunEvents,
  isEnded: () => boolean,
): StoredCollection {
  const visible: Docs = new Map();
  /** What the new connection has sent so far, while that is withheld. */
  let withheld: Docs | undefined;
  /** The server gives documents their places. */
  let isOrdered = false;
  /** Visible documents which the current connection has not confirmed. */
  const stale = new Set<DocumentId>();
  const snapshots = createSnapshots(visible);
  const observers = createObservers(isolate, run, snapshots.find);
  const listeners = createListeners(isolate, snapshots.find, isEnded);

  const putVisible = (id: DocumentId, next: Doc | undefined, events: (() => void)[]): void => {
    const previous = visible.get(id);
    let isEqual = false;
    // Isolated: a type of the app's own decides itself what equality is.
    isolate(() => (isEqual = equals(previous, next)));
    if (isEqual) return;
    put(visible, id, next);
    snapshots.invalidate();
    const kind = next ? (previous ? 'changed' : 'added') : 'removed';
    observers.report(kind, (next ?? previous)!, previous, events);
  };

  const applyTo = (docs: Docs, message: DataMessage): void => {
    const { msg, id, before } = message;
    const isVisible = docs === visible;
    const previous = docs.get(id);
    if (!previous && msg === 'movedBefore') return;
    // An `added` replaces what only the connection before has said of the document.
    const isReplaced = isVisible && stale.has(id) && msg.startsWith('added');
    const next = msg === 'removed' ? undefined : merge(isReplaced ? undefined : previous, message);
    const events: (() => void)[] = [];
    if (isVisible) {
      stale.delete(id);
      putVisible(id, next, events);
    } else put(docs, id, next);
    if (before !== undefined) {
      isOrdered = true;
      // A new document stands behind all others already.
      const canMove = previous !== undefined || docs.has(before!);
      if (canMove && moveBefore(docs, id, before) && isVisible) {
        snapshots.invalidate();
        if (previous) observers.report('moved', docs.get(id)!, undefined, events);
      }
    }
    if (listeners.size && isVisible) events.push(listeners.notify);
    run(events);
  };

  /** Brings the documents into the order of the new connection. */
  const arrange = (
    previous: readonly DocumentId[],
    next: readonly DocumentId[],
    events: (() => void)[],
  ): void => {
    for (const id of findMoved(previous, next))
      observers.report('moved', visible.get(id)!, undefined, events);
    if (reorder(visible, mergeOrder(previous, next))) snapshots.invalidate();
  };

  return {
    name,
    get size() {
      return visible.size;
    },
    get: (id) => visible.get(id),
    find: snapshots.find,
    observe: observers.observe,
    subscribe: listeners.subscribe,
    [Symbol.asyncIterator]: listeners.iterate,
    apply: (message) => applyTo(withheld ?? visible, message),
    applyLate(message) {
      if (withheld) applyTo(visible, message);
    },
    withhold: () => void (withheld = new Map()),
    reveal(sweep, events) {
      const docs = withheld;
      withheld = undefined;
      if (docs) {
        stale.clear();
        for (const id of visible.keys()) if (!docs.has(id)) stale.add(id);
      }
      if (sweep) {
        for (const id of stale) putVisible(id, undefined, events);
        stale.clear();
      }
      const previousOrder = isOrdered ? [...visible.keys()] : [];
      for (const [id, doc] of docs ?? []) putVisible(id, doc, events);
      if (docs && isOrdered) arrange(previousOrder, [...docs.keys()], events);
    },
    notifyListeners: listeners.notify,
  };
}

/** The document after a message. */
function merge(previous: Doc | undefined, { id, fields, cleared }: DataMessage): Doc {
  const draft: Record<string, unknown> = { ...previous, ...fields };
  for (const field of cleared) delete draft[field];
  draft._id = id;
  return Object.freeze(draft) as Doc;
}

function put(docs: Docs, id: DocumentId, doc: Doc | undefined): void {
  if (doc) docs.set(id, doc);
  else docs.delete(id);
}
