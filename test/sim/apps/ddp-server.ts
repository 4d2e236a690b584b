import type { Connection, Session } from '../world/connection.ts';
import type { App } from '../world/node.ts';
import type { World } from '../world/world.ts';

type Message = Record<string, unknown>;

export interface Doc {
  readonly collection: string;
  readonly id: string;
  /** Counts writes: higher is newer. */
  readonly version: number;
  /** Counts lives: one that was removed and comes again is another. */
  readonly life: number;
}

/** Publications by name: which documents, and whether only for a user. `refused` is none. */
export const PUBLICATIONS: Readonly<
  Record<string, { readonly has: (doc: Doc) => boolean; readonly user?: true }>
> = {
  all: { has: ({ collection }) => collection === 'c' },
  even: { has: ({ collection, id }) => collection === 'c' && Number(id.slice(1)) % 2 === 0 },
  others: { has: ({ collection }) => collection === 'o' },
  mine: { has: ({ collection }) => collection === 'm', user: true },
};

/** How many documents there are of each collection. */
const COLLECTIONS = { c: 6, o: 3, m: 2 };

/** What all nodes share: the documents, and an account of what ran. */
export class DdpStore {
  readonly docs = new Map<string, Doc>();
  readonly sessions = new Set<DdpSession>();
  /** By the tag of a call: what each of its runs returned. */
  readonly ran = new Map<string, unknown[]>();
  /** By the tag of a call: it was refused because the server had not said `connected` yet. */
  readonly refused = new Set<unknown>();
  version = 0;
  #tokens = 0;

  constructor() {
    for (const [collection, many] of Object.entries(COLLECTIONS))
      for (let i = 0; i < many; i++) this.write(`${collection}${i}`, 'put');
  }

  /** A number beyond those of `c` falls on the others. */
  name(doc: number): string {
    const names = Object.entries(COLLECTIONS).flatMap(([of, many]) =>
      Array.from({ length: many }, (_, i) => of + i),
    );
    return names[doc % names.length]!;
  }

  write(id: string, what: 'put' | 'remove'): number {
    const old = this.docs.get(id);
    this.version += 1;
    if (what === 'remove') this.docs.delete(id);
    else
      this.docs.set(id, {
        collection: id[0]!,
        id,
        version: this.version,
        life: old?.life ?? this.version,
      });
    for (const session of this.sessions) session.look(id);
    return this.version;
  }

  token(): number {
    return ++this.#tokens;
  }
}

/** A document on the wire; every other version has a field that the next one clears. */
const fieldsOf = ({ version, life }: Doc): Message => ({
  v: version,
  life,
  ...(version % 2 === 1 && { odd: { v: version } }),
});

/** After so long without a word a DDP server asks, and after as long again it ends the connection (Meteor: 15 s each). */
const HEARTBEAT_MS = 15_000;

export class DdpServer implements App {
  constructor(
    readonly world: World,
    readonly name: string,
    readonly store: DdpStore,
  ) {}

  accept(connection: Connection): DdpSession {
    return new DdpSession(this.world, this, connection);
  }
}

export class DdpSession implements Session {
  /** By id: the publication's name. */
  readonly subs = new Map<string, string>();
  user = false;
  readonly #seen = new Map<string, Doc>();
  #connected = false;
  #greeted = false;
  #over = false;
  #busyUntil = 0;
  #heardAt: number;

  constructor(
    readonly world: World,
    readonly server: DdpServer,
    readonly connection: Connection,
  ) {
    this.#heardAt = world.clock.now;
    server.store.sessions.add(this);
    this.#heartbeat();
  }

  /** Something that was asked is still to be done. */
  get busy(): boolean {
    return this.#busyUntil > this.world.clock.now;
  }

  closed(): void {
    this.#over = true;
    this.server.store.sessions.delete(this);
  }

  say(message: Message): void {
    this.connection.say(JSON.stringify(message));
  }

  #heartbeat(): void {
    this.world.clock.after(HEARTBEAT_MS, () => {
      if (this.#over) return;
      const silent = this.world.clock.now - this.#heardAt;
      if (!this.connection.node.hung) {
        if (silent >= 2 * HEARTBEAT_MS) return this.connection.end(1006);
        if (silent >= HEARTBEAT_MS && this.#connected) this.say({ msg: 'ping', id: 'p' });
      }
      this.#heartbeat();
    });
  }

  /** In order, each when the one before is done, and never while the node hangs. */
  #inTurn(ms: number, run: () => void): void {
    const { clock } = this.world;
    this.#busyUntil = Math.max(this.#busyUntil, clock.now) + ms;
    const awake = () => {
      if (this.#over) return;
      if (this.connection.node.hung) this.connection.node.backlog.push(awake);
      else run();
    };
    if (this.#busyUntil > clock.now) clock.at(this.#busyUntil, awake);
    else awake();
  }

  receive(frame: string): void {
    if (this.#over) return;
    this.#heardAt = this.world.clock.now;
    const message = JSON.parse(frame) as Message;
    const { msg, id } = message;
    const { patientMs, subMs } = this.world.plan.server;
    if (msg === 'connect') {
      this.#greeted = true;
      this.world.clock.after(patientMs, () => {
        if (this.#over) return;
        this.#connected = true;
        this.say({ msg: 'connected', session: 's' });
        this.say({ msg: 'node', id: this.server.name, spreadMs: this.world.plan.server.spreadMs });
      });
      return;
    }
    if (!this.#greeted)
      return this.world.violated(
        'handshake-first',
        `tab ${this.connection.client.tab} says ${frame} before connect`,
      );
    if (patientMs > 0 && !this.#connected) {
      if (msg === 'method') this.server.store.refused.add((message.params as unknown[])[0]);
      return this.say({ msg: 'error', reason: 'Must connect first', offendingMessage: message });
    }
    switch (msg) {
      case 'ping':
        return this.say({ msg: 'pong' });
      case 'sub':
        return this.#inTurn(subMs, () => this.#sub(id as string, message.name as string));
      case 'unsub':
        return this.#inTurn(0, () => {
          this.subs.delete(id as string);
          this.lookAtAll();
          this.say({ msg: 'nosub', id });
        });
      case 'method': {
        const slow = message.method === 'slow' ? 10 : 1;
        return this.#inTurn(this.world.plan.server.methodMs * slow, () => this.#method(message));
      }
    }
  }

  #sub(id: string, name: string): void {
    if (!PUBLICATIONS[name])
      return this.say({ msg: 'nosub', id, error: { error: 404, reason: 'no such publication' } });
    if (this.subs.has(id)) this.world.violated('sent-twice', `subscription ${id} (${name}) was sent twice`);
    this.subs.set(id, name);
    this.lookAtAll();
    this.say({ msg: 'ready', subs: [id] });
    const { store, world } = this.server;
    if (world.plan.server.busy) store.write(store.name(store.version), store.version % 4 ? 'put' : 'remove');
  }

  #method({ id, method, params }: Message): void {
    const { store } = this.server;
    const [first, second] = params as [unknown, string];
    let error: Message | undefined;
    let result: unknown;
    if (method === 'login') {
      const { resume } = first as { resume?: number };
      if (resume !== undefined && resume < this.world.goodToken) error = { error: 403, reason: 'logged out' };
      else result = { id: 'u', token: String(resume ?? Math.max(store.token(), this.world.goodToken)) };
      if (!error) this.user = true;
    } else if (method === 'logout') this.user = false;
    else {
      const tag = first as string;
      if (method === 'fail') error = { error: 'no', reason: 'it always fails' };
      else result = store.write(second, method === 'remove' ? 'remove' : 'put');
      store.ran.set(tag, [...(store.ran.get(tag) ?? []), result]);
    }
    this.lookAtAll();
    const answer = { msg: 'result', id, ...(error ? { error } : { result }) };
    const updated = { msg: 'updated', methods: [id] };
    // DDP leaves their order open.
    for (const message of store.version % 2 ? [answer, updated] : [updated, answer]) this.say(message);
  }

  lookAtAll(): void {
    for (const id of new Set([...this.#seen.keys(), ...this.server.store.docs.keys()])) this.look(id);
  }

  /** Tells the client what has become of a document, if that is news to it. */
  look(id: string): void {
    const { node } = this.connection;
    if (node.hung) return void node.backlog.push(() => this.#over || this.look(id));
    const doc = this.server.store.docs.get(id);
    const now = doc && this.#publishes(doc) ? doc : undefined;
    const before = this.#seen.get(id);
    if (now === before) return;
    const collection = id[0]!;
    if (!now) {
      this.#seen.delete(id);
      this.say({ msg: 'removed', collection, id });
      return;
    }
    this.#seen.set(id, now);
    const fields = fieldsOf(now);
    if (!before) this.say({ msg: 'added', collection, id, fields });
    else this.say({ msg: 'changed', collection, id, fields, cleared: fields.odd ? [] : ['odd'] });
  }

  #publishes(doc: Doc): boolean {
    for (const name of this.subs.values()) {
      const { has, user } = PUBLICATIONS[name]!;
      if (has(doc) && (!user || this.user)) return true;
    }
    return false;
  }
}
