import { validate, isFunction, isObject, rule } from '../shared/validate.ts';
import { equals, toWire } from './ejson.ts';
import type { DataMessage, DocumentId } from './messages.ts';

/**
 * A document as the app sees it: frozen, all the way down (except dates and binary data, which cannot be, and values of the app's own types).
 * Its `_id` is a text, a number or a boolean, unless `T` says which: `{ _id: string; … }`.
 */
export type Document<T> = Readonly<T> &
  (T extends { readonly _id: unknown } ? unknown : { readonly _id: DocumentId });

export interface Observer<T> {
  added?(doc: Document<T>): void;
  changed?(doc: Document<T>, previous: Document<T>): void;
  removed?(doc: Document<T>): void;
  /** Its place in `find()` is another: only from servers that keep an order (`addedBefore`, `movedBefore`; Meteor's does not). */
  moved?(doc: Document<T>): void;
}

/** Which documents: those that a function says yes to, or whose fields of these names have these values (EJSON equality). */
export type Filter<T> = ((doc: Document<T>) => boolean) | Partial<Document<T>>;

/**
 * The documents of one collection that the server has published to this client, in the order they arrived, or the one that the
 * server gives them. Iterating it asynchronously yields the snapshot of all of them and each newer one; a slow reader misses those
 * in between. The iteration ends when the client is closed.
 */
export interface Collection<T> extends AsyncIterable<readonly Document<T>[]> {
  readonly name: string;
  readonly size: number;
  get(id: DocumentId): Document<T> | undefined;
  /**
   * A frozen snapshot of all documents, or of those that pass the filter. The same array as last time (last time with that very
   * function, or with an equal object) if it would hold the same documents.
   */
  find(filter?: Filter<T>): readonly Document<T>[];
  /** Calls `added` for every document there is, then reports each change. An observer that throws harms no other. */
  observe(observer: Observer<T>): { stop(): void };
  /**
   * Calls the listener with the snapshot of all documents: now, and once after each change, however many documents that concerned
   * (a failover is one). Returns the way to stop it. What Svelte takes for a store, and with `find` what React's
   * `useSyncExternalStore` takes. A listener that throws harms no other.
   */
  subscribe(listener: (docs: readonly Document<T>[]) => void): () => void;
}

type Doc = Document<Record<string, unknown>>;
type Docs = Map<DocumentId, Doc>;
type Snapshot = readonly Doc[];
/** Calls app code; what it throws is reported and goes no further. */
export type Guard = (fn: () => void) => void;
/** Runs events in order; those that come up meanwhile run when these are through, so that every observer hears them in that order. */
type Run = (events: readonly (() => void)[]) => void;

/** Filters that are objects are known again by their text: the latest of them. */
const KEPT_FILTERS = 1_000;

const isObserver = rule('added, changed, removed or moved', (observer) => {
  const handlers = ['added', 'changed', 'removed', 'moved']
    .map((kind) => (Object(observer) as Record<string, unknown>)[kind])
    .filter((one) => one !== undefined);
  return handlers.length > 0 && handlers.every(isFunction);
});

/** A collection as the session sees it. */
export interface Documents extends Collection<Record<string, unknown>> {
  /** Applies one data message of the connection before, as long as the data of the new one is held back. */
  late(message: DataMessage): void;
  /**
   * Applies one data message. As in Meteor's client what is added again is merged, what changes and is not there is added, and what is
   * removed may be gone already: there are servers that do not keep account of what each client has (`NO_MERGE` publications).
   */
  apply(message: DataMessage): void;
  hold(): void;
  /** See Store. */
  show(sweep: boolean, events: (() => void)[]): void;
  /** Tells those who listen, if there is something new. */
  tell(): void;
}

/** @param over whether there will be no more */
function createDocuments(name: string, guard: Guard, run: Run, over: () => boolean): Documents {
  const visible: Docs = new Map();
  /** What the new connection has said so far, while that is held back. */
  let shadow: Docs | undefined;
  /** The server gives documents their places. */
  let ordered = false;
  /** Visible documents which the current connection has not confirmed. */
  const stale = new Set<DocumentId>();
  const observers = new Set<{ readonly observer: Observer<Record<string, unknown>> }>();
  let all: Snapshot | undefined;
  const found = new Map<string, Snapshot>();
  const foundBy = new WeakMap<object, Snapshot>();
  const listeners = new Set<() => void>();

  const find = (filter?: Filter<Record<string, unknown>>): Snapshot => {
    all ??= Object.freeze([...visible.values()]);
    if (!filter) return all;
    // A function may look at more than the document, so it is always asked; only the identity is kept.
    if (typeof filter === 'function')
      return lastOr(
        foundBy,
        filter,
        all.filter((doc) => filter(doc)),
      );
    validate('filter', filter, isObject);
    const wanted = Object.entries(filter).sort();
    const text = JSON.stringify(
      wanted.map(([field, value]) =>
        value === undefined ? field : [field, toWire(value, `filter.${field}`)],
      ),
    );
    if (found.size >= KEPT_FILTERS && !found.has(text)) found.clear();
    return lastOr(
      found,
      text,
      all.filter((doc) => wanted.every(([field, value]) => equals(doc[field], value))),
    );
  };

  const tell = (): void => {
    for (const listener of listeners) listener();
  };

  const report = (
    kind: keyof Observer<unknown>,
    doc: Doc,
    previous: Doc | undefined,
    events: (() => void)[],
  ): void => {
    if (!observers.size) return;
    // Those observing now: one that begins inside an event is told of the new state by its own `added` calls.
    const entries = [...observers];
    events.push(() => {
      for (const entry of entries)
        if (observers.has(entry)) guard(() => entry.observer[kind]?.(doc, previous!));
    });
  };

  const put = (id: DocumentId, next: Doc | undefined, events: (() => void)[]): void => {
    const old = visible.get(id);
    let equal = false;
    // A type of the app's own says itself what equality is.
    guard(() => (equal = equals(old, next)));
    if (equal) return;
    set(visible, id, next);
    all = undefined;
    report(next ? (old ? 'changed' : 'added') : 'removed', (next ?? old)!, old, events);
  };

  const applyTo = (docs: Docs, { msg, id, fields, cleared, before }: DataMessage): void => {
    const seen = docs === visible;
    const old = docs.get(id);
    if (!old && msg === 'movedBefore') return;
    // What the connection before has said of it is over.
    const known = !seen || !stale.has(id) || !msg.startsWith('added') ? old : undefined;
    let next: Doc | undefined;
    if (msg !== 'removed') {
      const draft: Record<string, unknown> = { ...known, ...fields };
      for (const field of cleared) delete draft[field];
      draft._id = id;
      next = Object.freeze(draft) as Doc;
    }
    const events: (() => void)[] = [];
    if (seen) {
      stale.delete(id);
      put(id, next, events);
    } else set(docs, id, next);
    if (before !== undefined) {
      ordered = true;
      // What is new stands behind all already.
      if ((old || docs.has(before!)) && move(docs, id, before) && seen) {
        all = undefined;
        if (old) report('moved', docs.get(id)!, undefined, events);
      }
    }
    if (listeners.size && seen) events.push(tell);
    run(events);
  };

  /** Brings the documents into the order of the new connection; those it has not mentioned yet stay behind the others. */
  const arrange = (
    order: readonly DocumentId[],
    places: readonly DocumentId[],
    events: (() => void)[],
  ): void => {
    const here = new Set(order);
    const common = places.filter((id) => here.has(id));
    const stayed = new Set(common);
    const moved = new Set<DocumentId | undefined>();
    let at = 0;
    for (const id of order) {
      while (moved.has(common[at])) at += 1;
      if (common[at] === id) at += 1;
      else if (stayed.has(id)) {
        moved.add(id);
        report('moved', visible.get(id)!, undefined, events);
      }
    }
    const now = new Map(visible);
    const wanted = [...order, ...places.filter((id) => !here.has(id))];
    const current = [...now.keys()];
    if (wanted.every((id, i) => id === current[i])) return;
    all = undefined;
    visible.clear();
    for (const id of wanted) set(visible, id, now.get(id));
  };

  return {
    name,
    get size() {
      return visible.size;
    },
    get: (id) => visible.get(id),
    find,
    observe(observer) {
      validate('observer', observer, isObserver);
      const entry = { observer };
      observers.add(entry);
      run(
        find().map((doc) => () => {
          if (observers.has(entry)) guard(() => observer.added?.(doc));
        }),
      );
      return { stop: () => void observers.delete(entry) };
    },
    subscribe(listener) {
      validate('listener', listener, isFunction);
      let told: Snapshot | undefined;
      const look = () => {
        const docs = find();
        if (docs === told) return;
        told = docs;
        guard(() => listener(docs));
      };
      listeners.add(look);
      look();
      return () => void listeners.delete(look);
    },
    [Symbol.asyncIterator](): AsyncIterator<Snapshot, undefined> {
      let latest: Snapshot | undefined;
      let done = false;
      let wake = () => {};
      const woken = () => {
        const now = wake;
        wake = () => {};
        now();
      };
      listeners.add(woken);
      return {
        next: async () => {
          while (!done && find() === latest) {
            done = over();
            const before = wake;
            if (!done) await new Promise<void>((resolve) => (wake = () => (before(), resolve())));
          }
          return done ? { done, value: undefined } : { value: (latest = find()) };
        },
        return: () => {
          done = true;
          listeners.delete(woken);
          woken();
          return Promise.resolve({ done, value: undefined });
        },
      };
    },
    late(message) {
      if (shadow) applyTo(visible, message);
    },
    apply: (message) => applyTo(shadow ?? visible, message),
    hold: () => void (shadow = new Map()),
    show(sweep, events) {
      const docs = shadow;
      shadow = undefined;
      if (docs) {
        stale.clear();
        for (const id of visible.keys()) if (!docs.has(id)) stale.add(id);
      }
      if (sweep) {
        for (const id of stale) put(id, undefined, events);
        stale.clear();
      }
      const places = ordered ? [...visible.keys()] : [];
      for (const [id, doc] of docs ?? []) put(id, doc, events);
      if (docs && ordered) arrange([...docs.keys()], places, events);
    },
    tell,
  };
}

function set(docs: Docs, id: DocumentId, doc: Doc | undefined): void {
  if (doc) docs.set(id, doc);
  else docs.delete(id);
}

/** In front of another, or to the end if that is not there. Returns whether that is another place. */
function move(docs: Docs, id: DocumentId, before: DocumentId | null): boolean {
  const ids = [...docs.keys()];
  const at = ids.indexOf(id);
  const to = ids.indexOf(before!);
  if (to < 0 ? at === ids.length - 1 : to === at || to === at + 1) return false;
  for (const one of [id, ...(to < 0 ? [] : ids.slice(to).filter((other) => other !== id))]) {
    const doc = docs.get(one);
    docs.delete(one);
    set(docs, one, doc);
  }
  return true;
}

/** The array that was found last time, if the new one is the like of it. */
function lastOr<K>(
  kept: { get(key: K): Snapshot | undefined; set(key: K, docs: Snapshot): unknown },
  key: K,
  found: Snapshot,
): Snapshot {
  const last = kept.get(key);
  if (last?.length === found.length && last.every((doc, i) => doc === found[i])) return last;
  kept.set(key, Object.freeze(found));
  return found;
}

/** All collections, and the switch between "applied at once" and "held back". */
export interface Store {
  collection(name: string): Documents;
  /** From here on data is collected out of sight; what an earlier hold had collected is forgotten. */
  hold(): void;
  /**
   * Ends the hold (if there is one) with one minimal diff over all collections: first every document is in its new state,
   * then the observers hear of it. `sweep`: documents that the current connection did not confirm are removed, before others come.
   */
  show(sweep: boolean): void;
  /** No more will come. */
  end(): void;
}

export function createStore(guard: Guard): Store {
  const collections = new Map<string, Documents>();
  let holding = false;
  const due: (() => void)[] = [];
  let running = false;
  let over = false;

  const run: Run = (events) => {
    for (const event of events) due.push(event);
    if (running) return;
    running = true;
    try {
      // It grows meanwhile.
      for (const event of due) event();
    } finally {
      due.length = 0;
      running = false;
    }
  };

  return {
    collection(name) {
      let collection = collections.get(name);
      if (!collection) {
        collections.set(name, (collection = createDocuments(name, guard, run, () => over)));
        if (holding) collection.hold();
      }
      return collection;
    },
    hold() {
      holding = true;
      for (const collection of collections.values()) collection.hold();
    },
    show(sweep) {
      const events: (() => void)[] = [];
      const shown = [...collections.values()];
      for (const collection of shown) collection.show(sweep, events);
      holding = false;
      for (const collection of shown) events.push(collection.tell);
      run(events);
    },
    end() {
      over = true;
      for (const collection of collections.values()) collection.tell();
    },
  };
}
