/** What a client has been sent, so that it gets differences only. */
export type Fields = Readonly<Record<string, unknown>>;

interface Shown {
  fields: Fields;
  /** The subscriptions that publish the document. */
  subs: Set<string>;
}

/** The documents one client knows. A document of several subscriptions is added once and removed with the last of them. */
export class ClientView {
  readonly #collections = new Map<string, Map<string, Shown>>();

  constructor(private readonly send: (message: object) => void) {}

  added(sub: string, collection: string, id: string, fields: Fields): void {
    let documents = this.#collections.get(collection);
    if (documents === undefined) this.#collections.set(collection, (documents = new Map()));
    const shown = documents.get(id);
    if (shown === undefined) {
      documents.set(id, { fields, subs: new Set([sub]) });
      this.send({ msg: 'added', collection, id, fields });
    } else {
      shown.subs.add(sub);
      this.changed(collection, id, fields);
    }
  }

  /** Sends the top-level fields that differ from the client's copy. */
  changed(collection: string, id: string, fields: Fields): void {
    const shown = this.#collections.get(collection)?.get(id);
    if (shown === undefined) return;
    const { fields: before } = shown;
    shown.fields = fields;
    const differing = Object.entries(fields).filter(([key, value]) => !isSame(value, before[key]));
    const cleared = Object.keys(before).filter((key) => !(key in fields));
    if (differing.length === 0 && cleared.length === 0) return;
    this.send({
      msg: 'changed',
      collection,
      id,
      ...(differing.length > 0 && { fields: Object.fromEntries(differing) }),
      ...(cleared.length > 0 && { cleared }),
    });
  }

  has(sub: string, collection: string, id: string): boolean {
    return this.#collections.get(collection)?.get(id)?.subs.has(sub) ?? false;
  }

  removed(sub: string, collection: string, id: string): void {
    const documents = this.#collections.get(collection);
    const shown = documents?.get(id);
    if (!shown?.subs.delete(sub) || shown.subs.size > 0) return;
    documents?.delete(id);
    this.send({ msg: 'removed', collection, id });
  }

  /** Removes everything that a subscription has published. */
  drop(sub: string): void {
    for (const [collection, documents] of this.#collections) {
      for (const id of [...documents.keys()]) this.removed(sub, collection, id);
    }
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
