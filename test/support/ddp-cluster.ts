import { accepts, ONE_WAY, type Behaviour, type FakeSocket, type World } from './world.ts';

export interface ClusterNode {
  /** From a method's arrival to its result; a function is asked for each. */
  methodMs?: number | (() => number);
  /** From a subscription's arrival to its documents. */
  subMs?: number;
  /** A method's writes are announced so long after its result. */
  updatedMs?: number;
  openAfterMs?: number;
  /** Each ping may hold up everything this connection says for so long. */
  stall?: () => number;
}
type Message = Record<string, unknown>;

/** Nodes of one small DDP server: one collection, `put(id, n)` writes a document, the publication is all there is. */
export class Cluster {
  readonly docs = new Map<string, Message>();
  /** Methods in the order they ran: `<params>@<number of the connection>`. */
  readonly ran: string[] = [];
  readonly #world: World;
  readonly #subscribed = new Map<FakeSocket, Set<unknown>>();
  readonly #saidAt = new Map<FakeSocket, number>();

  constructor(world: World) {
    this.#world = world;
  }

  node({ methodMs = 0, subMs = 0, updatedMs = 0, openAfterMs = 80, stall }: ClusterNode = {}): Behaviour {
    return (socket) => {
      const subs = new Set<unknown>();
      this.#subscribed.set(socket, subs);
      const after = (ms: number, fn: () => void): undefined =>
        (ms > 0 ? void setTimeout(fn, ms) : fn()) as undefined;
      const reply = (frame: unknown): undefined => {
        const message = JSON.parse(frame as string) as Message;
        const { id } = message;
        switch (message.msg) {
          case 'connect':
            return this.say(socket, { msg: 'connected', session: 's' });
          case 'ping':
            return this.say(socket, { msg: 'pong' }, stall?.());
          case 'sub':
            return after(subMs, () => {
              for (const [doc, fields] of subs.size ? [] : this.docs)
                this.say(socket, { msg: 'added', collection: 'c', id: doc, fields });
              subs.add(id);
              this.say(socket, { msg: 'ready', subs: [id] });
            });
          case 'unsub':
            return this.say(socket, { msg: 'nosub', id });
          case 'method':
            return after(typeof methodMs === 'function' ? methodMs() : methodMs, () => {
              const params = message.params as unknown[];
              this.ran.push(`${params.join()}@${this.#world.sockets.indexOf(socket) + 1}`);
              this.put(String(params[0]), { n: params[1] });
              this.say(socket, { msg: 'result', id, result: params[0] });
              after(updatedMs, () => this.say(socket, { msg: 'updated', methods: [id] }));
            });
        }
      };
      accepts({ reply, openAfterMs })(socket);
    };
  }

  put(id: string, fields: Message): void {
    const msg = this.docs.has(id) ? 'changed' : 'added';
    this.docs.set(id, fields);
    for (const [socket, subs] of this.#subscribed)
      if (subs.size) this.say(socket, { msg, collection: 'c', id, fields });
  }

  /** In order, however long something before it was held up. */
  say(socket: FakeSocket, message: Message, heldUpMs = 0): undefined {
    const { now } = this.#world;
    const at = Math.max(now + heldUpMs, this.#saidAt.get(socket) ?? 0);
    this.#saidAt.set(socket, at);
    socket.serverSends(JSON.stringify(message), ONE_WAY + at - now);
  }
}
