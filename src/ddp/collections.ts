import { same } from './ejson.ts';
import type { DataMessage, DocumentId } from './messages.ts';

/** A document as the app sees it: frozen, all the way down (dates and binary data, which cannot be frozen, excepted). */
export type Document<T> = Readonly<T> & { readonly _id: string };

export interface Observer<T> {
  added?(doc: Document<T>): void;
  changed?(doc: Document<T>, previous: Document<T>): void;
  removed?(doc: Document<T>): void;
}

/** The documents of one collection that the server has published to this client, in the order they arrived. */
export interface Collection<T> {
  readonly name: string;
  readonly size: number;
  get(id: DocumentId): Document<T> | undefined;
  /**
   * A frozen snapshot of all documents, or of those that pass the filter. The same array as last time (last time with
   * that very filter function) if it would hold the same documents.
   */
  find(filter?: (doc: Document<T>) => boolean): readonly Document<T>[];
  /** Calls `added` for every document there is, then reports each change. An observer that throws harms no other. */
  observe(observer: Observer<T>): { stop(): void };
}

type Doc = Document<Record<string, unknown>>;
/** Calls app code; what it throws is reported and goes no further. */
export type Guard = (fn: () => void) => void;

class Documents implements Collection<Record<string, unknown>> {
  readonly #guard: Guard;
  readonly #docs = new Map<DocumentId, Doc>();
  /** What the new connection has said so far, while that is held back. */
  #shadow: Map<DocumentId, Doc> | undefined;
  /** Visible documents which the current connection has not confirmed. */
  readonly #stale = new Set<DocumentId>();
  readonly #observers = new Set<{ readonly observer: Observer<Record<string, unknown>> }>();
  #all: readonly Doc[] | undefined;
  readonly #found = new WeakMap<object, readonly Doc[]>();

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

  find(filter?: (doc: Doc) => boolean): readonly Doc[] {
    this.#all ??= Object.freeze([...this.#docs.values()]);
    if (!filter) return this.#all;
    // A filter may look at more than the document, so it is always asked; only the identity is kept.
    const found = this.#all.filter((doc) => filter(doc));
    const last = this.#found.get(filter);
    if (last?.length === found.length && last.every((doc, i) => doc === found[i])) return last;
    this.#found.set(filter, Object.freeze(found));
    return found;
  }

  observe(observer: Observer<Record<string, unknown>>): { stop(): void } {
    const entry = { observer };
    this.#observers.add(entry);
    for (const doc of this.find()) this.#guard(() => observer.added?.(doc));
    return { stop: () => void this.#observers.delete(entry) };
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
  apply({ msg, id, fields, cleared }: DataMessage): boolean {
    const docs = this.#shadow ?? this.#docs;
    const old = docs.get(id);
    if (msg !== 'added' && !old) return false;
    let next: Doc | undefined;
    if (msg !== 'removed') {
      const draft: Record<string, unknown> = msg === 'added' ? { ...fields } : { ...old, ...fields };
      for (const field of cleared) delete draft[field];
      draft._id = id;
      next = Object.freeze(draft) as Doc;
    }
    if (this.#shadow) set(this.#shadow, id, next);
    else {
      this.#stale.delete(id);
      const events: (() => void)[] = [];
      this.#put(id, next, events);
      for (const event of events) event();
    }
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
    for (const [id, doc] of shadow ?? []) this.#put(id, doc, events);
  }

  #put(id: DocumentId, next: Doc | undefined, events: (() => void)[]): void {
    const old = this.#docs.get(id);
    if (same(old, next)) return;
    set(this.#docs, id, next);
    this.#all = undefined;
    if (!this.#observers.size) return;
    // Those observing now: one that begins inside an event is told of the new state by its own `added` calls.
    const entries = [...this.#observers];
    const kind = next ? (old ? 'changed' : 'added') : 'removed';
    events.push(() => {
      for (const entry of entries)
        if (this.#observers.has(entry)) this.#guard(() => entry.observer[kind]?.((next ?? old)!, old!));
    });
  }
}

function set(docs: Map<DocumentId, Doc>, id: DocumentId, doc: Doc | undefined): void {
  if (doc) docs.set(id, doc);
  else docs.delete(id);
}

/** All collections, and the switch between "applied at once" and "held back". */
export class Store {
  readonly #guard: Guard;
  readonly #collections = new Map<string, Documents>();
  #holding = false;

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  collection(name: string): Documents {
    let collection = this.#collections.get(name);
    if (!collection) {
      this.#collections.set(name, (collection = new Documents(name, this.#guard)));
      if (this.#holding) collection.hold();
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
    for (const collection of this.#collections.values()) collection.show(sweep, events);
    this.#holding = false;
    for (const event of events) event();
  }
}
