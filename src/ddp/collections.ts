import { same, toJson } from './ejson.ts';
import { encode, type DataMessage, type DocumentId, type Fields } from './messages.ts';

/** A document as the app sees it: frozen, all the way down (dates and binary data, which cannot be frozen, excepted). */
export type Document<T> = Readonly<T> & { readonly _id: string };

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

/** Filters that are objects are known again by their text: so many. */
const KEPT_FILTERS = 100;

class Documents implements Collection<Record<string, unknown>> {
  readonly #guard: Guard;
  readonly #docs: Docs = new Map();
  /** What the new connection has said so far, while that is held back. */
  #shadow: Docs | undefined;
  /** The server gives documents their places. */
  #ordered = false;
  /** Visible documents which the current connection has not confirmed. */
  readonly #stale = new Set<DocumentId>();
  readonly #observers = new Set<{ readonly observer: Observer<Record<string, unknown>> }>();
  #all: Snapshot | undefined;
  readonly #found = new Map<string, Snapshot>();
  readonly #foundBy = new WeakMap<object, Snapshot>();
  readonly #listeners = new Set<() => void>();
  /** There will be no more. */
  over = false;

  constructor(
    readonly name: string,
    guard: Guard,
  ) {
    this.#guard = guard;
  }

  get size(): number {
    return this.#docs.size;
  }

  get(id: DocumentId): Doc | undefined {
    return this.#docs.get(id);
  }

  find(filter?: Filter<Record<string, unknown>>): Snapshot {
    this.#all ??= Object.freeze([...this.#docs.values()]);
    if (!filter) return this.#all;
    if (typeof filter === 'function') {
      // It may look at more than the document, so it is always asked; only the identity is kept.
      return lastOr(
        this.#foundBy,
        filter,
        this.#all.filter((doc) => filter(doc)),
      );
    }
    const wanted = Object.entries(filter);
    if (this.#found.size >= KEPT_FILTERS) this.#found.clear();
    return lastOr(
      this.#found,
      encode(toJson(filter) as Fields),
      this.#all.filter((doc) => wanted.every(([field, value]) => same(doc[field], value))),
    );
  }

  observe(observer: Observer<Record<string, unknown>>): { stop(): void } {
    const entry = { observer };
    this.#observers.add(entry);
    for (const doc of this.find()) this.#guard(() => observer.added?.(doc));
    return { stop: () => void this.#observers.delete(entry) };
  }

  subscribe(listener: (docs: Snapshot) => void): () => void {
    let told: Snapshot | undefined;
    const tell = () => {
      const docs = this.find();
      if (docs === told) return;
      told = docs;
      this.#guard(() => listener(docs));
    };
    this.#listeners.add(tell);
    tell();
    return () => void this.#listeners.delete(tell);
  }

  [Symbol.asyncIterator](): AsyncIterator<Snapshot, undefined> {
    let latest: Snapshot | undefined;
    let done = false;
    let wake = () => {};
    const woken = () => wake();
    this.#listeners.add(woken);
    return {
      next: async () => {
        while (!done && this.find() === latest) {
          done = this.over;
          const before = wake;
          if (!done) await new Promise<void>((resolve) => (wake = () => (before(), resolve())));
        }
        return done ? { done, value: undefined } : { value: (latest = this.find()) };
      },
      return: () => {
        done = true;
        this.#listeners.delete(woken);
        wake();
        return Promise.resolve({ done, value: undefined });
      },
    };
  }

  /** Applies one data message of the connection before, as long as the data of the new one is held back. */
  late(message: DataMessage): void {
    const shadow = this.#shadow;
    if (!shadow) return;
    this.#shadow = undefined;
    this.apply(message);
    this.#shadow = shadow;
  }

  /** Applies one data message; false if it speaks of a document that is not there. */
  apply({ msg, id, fields, cleared, before }: DataMessage): boolean {
    const docs = this.#shadow ?? this.#docs;
    const old = docs.get(id);
    const added = msg === 'added' || msg === 'addedBefore';
    if (!added && !old) return false;
    let next: Doc | undefined;
    if (msg !== 'removed') {
      const draft: Record<string, unknown> = added ? { ...fields } : { ...old, ...fields };
      for (const field of cleared) delete draft[field];
      draft._id = id;
      next = Object.freeze(draft) as Doc;
    }
    const events: (() => void)[] = [];
    if (this.#shadow) set(this.#shadow, id, next);
    else {
      this.#stale.delete(id);
      this.#put(id, next, events);
    }
    if (before !== undefined) {
      this.#ordered = true;
      this.#all = undefined;
      move(docs, id, before);
      if (old && !this.#shadow) this.#tell('moved', docs.get(id)!, undefined, events);
    }
    for (const event of events) event();
    this.tell();
    return true;
  }

  hold(): void {
    this.#shadow = new Map();
  }

  /** See Store. */
  show(sweep: boolean, events: (() => void)[]): void {
    const shadow = this.#shadow;
    this.#shadow = undefined;
    if (shadow) {
      this.#stale.clear();
      for (const id of this.#docs.keys()) if (!shadow.has(id)) this.#stale.add(id);
    }
    if (sweep) {
      for (const id of this.#stale) this.#put(id, undefined, events);
      this.#stale.clear();
    }
    const places = [...this.#docs.keys()];
    for (const [id, doc] of shadow ?? []) this.#put(id, doc, events);
    if (shadow && this.#ordered) this.#arrange([...shadow.keys()], places, events);
  }

  /** Brings the documents into the order of the new connection; those it has not mentioned yet stay behind the others. */
  #arrange(order: readonly DocumentId[], places: readonly DocumentId[], events: (() => void)[]): void {
    const here = new Set(order);
    const common = places.filter((id) => here.has(id));
    const visible = new Set(common);
    const moved = new Set<DocumentId | undefined>();
    let at = 0;
    for (const id of order) {
      while (moved.has(common[at])) at += 1;
      if (common[at] === id) at += 1;
      else if (visible.has(id)) {
        moved.add(id);
        this.#tell('moved', this.#docs.get(id)!, undefined, events);
      }
    }
    for (const id of [...order, ...places.filter((id) => !here.has(id))]) move(this.#docs, id);
    this.#all = undefined;
  }

  /** Tells those who listen, if there is something new. */
  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  end(): void {
    this.over = true;
    this.tell();
  }

  #put(id: DocumentId, next: Doc | undefined, events: (() => void)[]): void {
    const old = this.#docs.get(id);
    if (same(old, next)) return;
    set(this.#docs, id, next);
    this.#all = undefined;
    this.#tell(next ? (old ? 'changed' : 'added') : 'removed', (next ?? old)!, old, events);
  }

  #tell(kind: keyof Observer<unknown>, doc: Doc, previous: Doc | undefined, events: (() => void)[]): void {
    if (!this.#observers.size) return;
    // Those observing now: one that begins inside an event is told of the new state by its own `added` calls.
    const entries = [...this.#observers];
    events.push(() => {
      for (const entry of entries)
        if (this.#observers.has(entry)) this.#guard(() => entry.observer[kind]?.(doc, previous!));
    });
  }
}

function set(docs: Docs, id: DocumentId, doc: Doc | undefined): void {
  if (doc) docs.set(id, doc);
  else docs.delete(id);
}

/** To the end, or in front of another. */
function move(docs: Docs, id: DocumentId, before?: DocumentId | null): void {
  const behind = [];
  for (const other of docs.keys())
    if (other !== id && (other === before || behind.length > 0)) behind.push(other);
  for (const one of [id, ...behind]) {
    const doc = docs.get(one);
    docs.delete(one);
    set(docs, one, doc);
  }
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
export class Store {
  readonly #guard: Guard;
  readonly #collections = new Map<string, Documents>();
  #holding = false;
  #over = false;

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  collection(name: string): Documents {
    let collection = this.#collections.get(name);
    if (!collection) {
      this.#collections.set(name, (collection = new Documents(name, this.#guard)));
      if (this.#holding) collection.hold();
      collection.over = this.#over;
    }
    return collection;
  }

  /** From here on data is collected out of sight; what an earlier hold had collected is forgotten. */
  hold(): void {
    this.#holding = true;
    for (const collection of this.#collections.values()) collection.hold();
  }

  /**
   * Ends the hold (if there is one) with one minimal diff over all collections: first every document is in its new state,
   * then the observers hear of it. `sweep`: documents that the current connection did not confirm are removed, before others come.
   */
  show(sweep: boolean): void {
    const events: (() => void)[] = [];
    const collections = [...this.#collections.values()];
    for (const collection of collections) collection.show(sweep, events);
    this.#holding = false;
    for (const event of events) event();
    for (const collection of collections) collection.tell();
  }

  /** No more will come. */
  end(): void {
    this.#over = true;
    for (const collection of this.#collections.values()) collection.end();
  }
}
