import { badOption } from '../core/errors.ts';
import { same, toJson } from './ejson.ts';
import type { DataMessage, DocumentId } from './messages.ts';

/** A document as the app sees it: frozen, all the way down (except dates and binary data, which cannot be, and values of the app's own types). */
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
/** Runs events in order; those that come up meanwhile run when these are through, so that every observer hears them in that order. */
type Run = (events: readonly (() => void)[]) => void;

/** Filters that are objects are known again by their text: the latest of them. */
const KEPT_FILTERS = 1_000;

class Documents implements Collection<Record<string, unknown>> {
  readonly #guard: Guard;
  readonly #run: Run;
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
    run: Run,
  ) {
    this.#guard = guard;
    this.#run = run;
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
    if (typeof filter !== 'object') throw badOption('filter', filter, 'a function or an object');
    const wanted = Object.entries(filter).sort();
    const text = JSON.stringify(
      wanted.map(([field, value]) => (value === undefined ? field : [field, toJson(value)])),
    );
    if (this.#found.size >= KEPT_FILTERS && !this.#found.has(text)) this.#found.clear();
    return lastOr(
      this.#found,
      text,
      this.#all.filter((doc) => wanted.every(([field, value]) => same(doc[field], value))),
    );
  }

  observe(observer: Observer<Record<string, unknown>>): { stop(): void } {
    const entry = { observer };
    this.#observers.add(entry);
    this.#run(
      this.find().map((doc) => () => {
        if (this.#observers.has(entry)) this.#guard(() => observer.added?.(doc));
      }),
    );
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
    const woken = () => {
      const now = wake;
      wake = () => {};
      now();
    };
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
        woken();
        return Promise.resolve({ done, value: undefined });
      },
    };
  }

  /** Applies one data message of the connection before, as long as the data of the new one is held back. */
  late(message: DataMessage): void {
    if (this.#shadow) this.#applyTo(undefined, message);
  }

  /**
   * Applies one data message. As in Meteor's client what is added again is merged, what changes and is not there is added, and what is
   * removed may be gone already: there are servers that do not keep account of what each client has (`NO_MERGE` publications).
   */
  apply(message: DataMessage): void {
    this.#applyTo(this.#shadow, message);
  }

  #applyTo(shadow: Docs | undefined, { msg, id, fields, cleared, before }: DataMessage): void {
    const docs = shadow ?? this.#docs;
    const old = docs.get(id);
    if (!old && msg === 'movedBefore') return;
    // What the connection before has said of it is over.
    const known = shadow || !this.#stale.has(id) || !msg.startsWith('added') ? old : undefined;
    let next: Doc | undefined;
    if (msg !== 'removed') {
      const draft: Record<string, unknown> = { ...known, ...fields };
      for (const field of cleared) delete draft[field];
      draft._id = id;
      next = Object.freeze(draft) as Doc;
    }
    const events: (() => void)[] = [];
    if (shadow) set(shadow, id, next);
    else {
      this.#stale.delete(id);
      this.#put(id, next, events);
    }
    if (before !== undefined) {
      this.#ordered = true;
      // What is new stands behind all already.
      if ((old || docs.has(before!)) && move(docs, id, before) && !shadow) {
        this.#all = undefined;
        if (old) this.#tell('moved', docs.get(id)!, undefined, events);
      }
    }
    if (this.#listeners.size && !shadow) events.push(() => this.tell());
    this.#run(events);
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
    const places = this.#ordered ? [...this.#docs.keys()] : [];
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
    const now = new Map(this.#docs);
    const wanted = [...order, ...places.filter((id) => !here.has(id))];
    const found = [...now.keys()];
    if (wanted.every((id, i) => id === found[i])) return;
    this.#all = undefined;
    this.#docs.clear();
    for (const id of wanted) set(this.#docs, id, now.get(id));
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
    let equal = false;
    // A type of the app's own says itself what equality is.
    this.#guard(() => (equal = same(old, next)));
    if (equal) return;
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
export class Store {
  readonly #guard: Guard;
  readonly #collections = new Map<string, Documents>();
  #holding = false;
  readonly #events: (() => void)[] = [];
  #running = false;
  #over = false;

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  readonly #run: Run = (events) => {
    for (const event of events) this.#events.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      // It grows meanwhile.
      for (const event of this.#events) event();
    } finally {
      this.#events.length = 0;
      this.#running = false;
    }
  };

  collection(name: string): Documents {
    let collection = this.#collections.get(name);
    if (!collection) {
      this.#collections.set(name, (collection = new Documents(name, this.#guard, this.#run)));
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
    for (const collection of collections) events.push(() => collection.tell());
    this.#run(events);
  }

  /** No more will come. */
  end(): void {
    this.#over = true;
    for (const collection of this.#collections.values()) collection.end();
  }
}
