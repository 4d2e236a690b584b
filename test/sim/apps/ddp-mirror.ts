import type { DdpPage } from './ddp-page.ts';
import type { Doc } from './ddp-server.ts';

interface Seen {
  readonly _id: string;
  readonly v: number;
  readonly life: number;
  readonly odd?: { readonly v: number };
}

/** What an app makes of the events alone; it must be what the collections hold, and every event must be news. */
export class Mirror {
  readonly #page: DdpPage;
  readonly #docs = new Map<string, Seen>();
  readonly #takenAt = new Map<string, number>();
  /** Documents whose going is no surprise: the app has stopped what published them. */
  readonly #uncovered = new Map<string, number>();

  constructor(page: DdpPage) {
    this.#page = page;
  }

  start(): void {
    const page = this.#page;
    for (const name of ['c', 'o', 'm']) {
      const collection = page.ddp.collection<Seen>(name);
      collection.observe({
        added: (doc) => {
          page.say(`+ ${show(doc)}`);
          if (this.#docs.has(doc._id)) page.violated('events', `${show(doc)} is added, and was there`);
          this.#uncovered.delete(doc._id);
          this.#take(doc);
          page.told();
        },
        changed: (doc, previous) => {
          page.say(`~ ${show(doc)}`);
          if (this.#docs.get(doc._id) !== previous)
            page.violated('events', `${show(doc)} changed from what it was not`);
          if (show(doc) === show(previous)) page.violated('events', `${show(doc)} changed into itself`);
          this.#take(doc);
          page.told();
        },
        removed: (doc) => {
          page.say(`- ${show(doc)}`);
          if (this.#docs.get(doc._id) !== doc)
            page.violated('events', `${show(doc)} is removed, and was not there`);
          this.#docs.delete(doc._id);
          this.#checkGoing(doc);
          page.told();
        },
      });
    }
  }

  has(id: string): boolean {
    return this.#docs.has(id);
  }

  get(id: string): Seen | undefined {
    return this.#docs.get(id);
  }

  #take(doc: Seen): void {
    this.#takenAt.set(doc._id, this.#page.world.clock.now);
    this.#docs.set(doc._id, doc);
    if (Boolean(doc.odd) !== (doc.v % 2 === 1) || (doc.odd && doc.odd.v !== doc.v))
      this.#page.violated('documents', `${show(doc)} is of two versions`);
    // What arrived together is told to the end, even if the app closes in the midst of it.
    if (this.#page.closedAt < this.#page.world.clock.now)
      this.#page.violated('left', `${show(doc)} is told after close()`);
  }

  /** The app stopped a subscription: what only that published may go. */
  uncovered(gone: (doc: Doc) => boolean): void {
    const { store } = this.#page;
    for (const [id, seen] of this.#docs) {
      const doc = store.docs.get(id);
      if (doc && gone(doc)) this.#uncovered.set(id, seen.life);
    }
  }

  /** A document that lives, and is published to a subscription that was ready, never goes: not even to come back. */
  #checkGoing(seen: Seen): void {
    const doc = this.#page.store.docs.get(seen._id);
    if (doc?.life !== seen.life || !this.#page.covers(doc) || this.#uncovered.has(seen._id)) return;
    // Known, and not mended: a connection that is being left has told of it, and the one that takes over is a moment behind.
    if (this.#takenAt.get(seen._id)! >= this.#page.currentSince) return;
    this.#page.violated('flicker', `${show(seen)} goes, though it is there and subscribed to`);
  }

  equals(expected: ReadonlyMap<string, Doc>): void {
    const page = this.#page;
    for (const [id, { version, life }] of expected) {
      const seen = this.#docs.get(id);
      if (seen?.v !== version || seen.life !== life)
        page.violated(
          'documents',
          `${id} is ${seen ? show(seen) : 'missing'}, the server has version ${version}`,
        );
    }
    for (const id of this.#docs.keys())
      if (!expected.has(id)) page.violated('documents', `${id} should be gone`);
    for (const name of ['c', 'o', 'm']) {
      const held = page.ddp.collection<Seen>(name).find();
      const mine = [...this.#docs.values()].filter(({ _id }) => _id[0] === name);
      if (held.length !== mine.length || held.some((doc) => this.#docs.get(doc._id) !== doc))
        page.violated('events', `${name} holds other documents than the events told of`);
    }
  }
}

const show = ({ _id, v, life, odd }: Seen): string =>
  `${_id} v${v} life ${life}${odd ? ` odd ${odd.v}` : ''}`;
