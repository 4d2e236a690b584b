export type Fields = Readonly<Record<string, unknown>>;

interface Shown {
  fields: Fields;
  /** The subscriptions that publish it. */
  subs: Set<string>;
}

/** What one client has been sent: a document that several subscriptions publish is added once and removed with the last. */
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

  /** Sends the top-level fields that differ from what the client has. */
  changed(collection: string, id: string, fields: Fields): void {
    const shown = this.#collections.get(collection)?.get(id);
    if (shown === undefined) return;
    const { fields: before } = shown;
    shown.fields = fields;
    const differing = Object.entries(fields).filter(([key, value]) => !same(value, before[key]));
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

  /** Takes back all that a subscription has published. */
  drop(sub: string): void {
    for (const [collection, documents] of this.#collections) {
      for (const id of [...documents.keys()]) this.removed(sub, collection, id);
    }
  }
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
