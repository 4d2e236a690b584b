import type { DocumentId } from './messages.ts';

/**
 * A document as the app sees it. It is frozen all the way down, except for dates, binary data and values of the app's own types.
 * Its `_id` is a string, a number or a boolean, unless `T` says which: `{ _id: string; … }`.
 */
export type Document<T> = Readonly<T> &
  (T extends { readonly _id: unknown } ? unknown : { readonly _id: DocumentId });

/**
 * Handlers for the changes of a collection; at least one of them. All are called after the change, in the order of the changes.
 *
 * @example
 * ddp.collection<{ text: string }>('todos').observe({
 *   added: (doc) => list.append(row(doc)),
 *   changed: (doc, previous) => doc.text !== previous.text && update(doc),
 *   removed: (doc) => row(doc).remove(),
 * });
 */
export interface Observer<T> {
  /** Called for every document that is there when observing begins, then for every new one. */
  added?(doc: Document<T>): void;
  /** Called when a field has another value. Values are compared by EJSON equality, so a failover alone changes nothing. */
  changed?(doc: Document<T>, previous: Document<T>): void;
  /** Called with the document as it was. */
  removed?(doc: Document<T>): void;
  /** Called when the document has another place in `find()`. Only servers that send `addedBefore` and `movedBefore` keep an order; Meteor's own does not. */
  moved?(doc: Document<T>): void;
}

/**
 * Selects documents: a function that returns true for them, or an object whose fields must all be equal (EJSON equality).
 *
 * @example
 * todos.find({ done: false });
 * todos.find((doc) => doc.text.startsWith('a'));
 */
export type Filter<T> = ((doc: Document<T>) => boolean) | Partial<Document<T>>;

/** A document of any collection. */
export type Doc = Document<Record<string, unknown>>;
/** Documents by id, in their order. */
export type Docs = Map<DocumentId, Doc>;
/** What `find` returns: frozen, and the same array until it would hold other documents. */
export type Snapshot = readonly Doc[];
