/** The server's side of DDP, as Meteor 2 and 3 speak it. */
import { randomUUID } from 'node:crypto';
import type { Store } from '../store/store.ts';
import type { Accounts, User } from './accounts.ts';
import { ClientView } from './ddp-view.ts';
import { MethodError } from './method-error.ts';
import { methods } from './methods.ts';
import { publications } from './publications.ts';

/** One client's connection, over any transport. */
export interface Peer {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  terminate?(): void;
}

export interface DdpContext {
  store: Store;
  nodeId: string;
  accounts: Accounts;
  /** Called for each new session. Tells clients of this library which node they are on; other clients ignore it. */
  greet(peer: Peer): void;
  /** How long a client may be silent before the server pings, then before it drops the client, in ms. Meteor's are 15 s each. */
  heartbeat?: { intervalMs: number; timeoutMs: number };
}

const versions = ['1', 'pre2', 'pre1'];

/** Stands for a publication without a subscription. No client uses it as an id. */
const ownAccount = '(own account)';

interface Message {
  msg: string;
  [field: string]: unknown;
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const isArrayOrAbsent = (value: unknown): value is unknown[] | undefined =>
  value === undefined || Array.isArray(value);

/** One client's DDP session. */
export class DdpSession {
  readonly #peer: Peer;
  readonly #context: DdpContext;
  readonly #view: ClientView;
  /** Running publications by subscription id, with the function that ends each. */
  readonly #subs = new Map<string, () => void>();
  #user: User | undefined;
  /** The last message. A session handles its messages one after the other. */
  #lastMessage: Promise<void> = Promise.resolve();
  #connected = false;
  #closed = false;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(peer: Peer, context: DdpContext) {
    this.#peer = peer;
    this.#context = context;
    this.#view = new ClientView((message) => this.#send(message));
    // Meteor sends this on every socket, for clients older than 0.6.7.
    this.#send({ server_id: '0' });
  }

  receive(text: string): void {
    if (this.#closed) return;
    let message: Message;
    try {
      message = JSON.parse(text) as Message;
    } catch {
      return this.#error('Parse error', text);
    }
    if (typeof message !== 'object' || message === null || typeof message.msg !== 'string') {
      return this.#error('Bad request', message);
    }
    if (message.msg === 'connect') return this.#connect(message);
    if (!this.#connected) return this.#error('Must connect first', message);
    this.#restartHeartbeat();
    // Out of order: a client must get its answer while a slow method runs.
    if (message.msg === 'ping') {
      return this.#send({ msg: 'pong', ...(message['id'] !== undefined && { id: message['id'] }) });
    }
    if (message.msg === 'pong') return;
    this.#lastMessage = this.#lastMessage.then(() => (this.#closed ? undefined : this.#handle(message)));
  }

  /** To be called when the connection has ended. */
  closed(): void {
    this.#closed = true;
    clearTimeout(this.#heartbeat);
    for (const stop of this.#subs.values()) stop();
    this.#subs.clear();
  }

  #connect(message: Message): void {
    if (this.#connected) return this.#error('Already connected', message);
    const { version, support } = message;
    const acceptable = typeof version === 'string' && isStrings(support) && support.includes(version);
    const best = isStrings(support) ? support.find((candidate) => versions.includes(candidate)) : undefined;
    if (!acceptable || version !== (best ?? versions[0])) {
      this.#send({ msg: 'failed', version: acceptable ? (best ?? versions[0]) : versions[0] });
      return this.#peer.close();
    }
    this.#connected = true;
    this.#send({ msg: 'connected', session: randomUUID() });
    this.#context.greet(this.#peer);
    this.#restartHeartbeat();
  }

  /** Called for every message of the client. */
  #restartHeartbeat(): void {
    const { intervalMs, timeoutMs } = this.#context.heartbeat ?? { intervalMs: 15_000, timeoutMs: 15_000 };
    clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => {
      this.#send({ msg: 'ping' });
      this.#heartbeat = setTimeout(() => this.#peer.close(), timeoutMs);
    }, intervalMs);
  }

  async #handle(message: Message): Promise<void> {
    switch (message.msg) {
      case 'sub':
        return this.#subscribe(message);
      case 'unsub':
        return this.#unsubscribe(message);
      case 'method':
        return this.#call(message);
      default:
        this.#error('Bad request', message);
    }
  }

  #subscribe(message: Message): void {
    const { id, name, params } = message;
    if (typeof id !== 'string' || typeof name !== 'string' || !isArrayOrAbsent(params)) {
      return this.#error('Malformed subscription', message);
    }
    // A client that did not see the answer may send it again; the publication already runs.
    if (this.#subs.has(id)) return;
    try {
      const publish = publications.get(name);
      if (publish === undefined) throw new MethodError(404, `Subscription '${name}' not found`);
      this.#subs.set(id, publish(id, this.#view, this.#context, params ?? []));
      this.#send({ msg: 'ready', subs: [id] });
    } catch (error) {
      this.#view.drop(id);
      this.#send({ msg: 'nosub', id, error: asMethodError(error).toWire() });
    }
  }

  #unsubscribe(message: Message): void {
    const { id } = message;
    if (typeof id !== 'string') return this.#error('Malformed unsubscription', message);
    this.#subs.get(id)?.();
    this.#subs.delete(id);
    this.#view.drop(id);
    this.#send({ msg: 'nosub', id });
  }

  async #call(message: Message): Promise<void> {
    const { id, method: name, params } = message;
    if (typeof id !== 'string' || typeof name !== 'string' || !isArrayOrAbsent(params)) {
      return this.#error('Malformed method invocation', message);
    }
    try {
      const method = methods.get(name);
      if (method === undefined) throw new MethodError(404, `Method '${name}' not found`);
      const setUser = (user: User | undefined): void => this.#setUser(user);
      const result = await method({ ...this.#context, user: this.#user, setUser }, ...(params ?? []));
      this.#send({ msg: 'result', id, ...(result !== undefined && { result }) });
    } catch (error) {
      this.#send({ msg: 'result', id, error: asMethodError(error).toWire() });
    }
    // A method resolves after the feed has shown its changes, so the client has them before this message.
    this.#send({ msg: 'updated', methods: [id] });
  }

  /** Publishes the user's own account, as Meteor's null publication does. */
  #setUser(user: User | undefined): void {
    if (user?.id === this.#user?.id) return;
    this.#user = user;
    this.#view.drop(ownAccount);
    if (user !== undefined) this.#view.added(ownAccount, 'users', user.id, { username: user.username });
  }

  #error(reason: string, offendingMessage: unknown): void {
    this.#send({ msg: 'error', reason, offendingMessage });
  }

  #send(message: object): void {
    if (!this.#closed) this.#peer.send(JSON.stringify(message));
  }
}

function asMethodError(error: unknown): MethodError {
  if (error instanceof MethodError) return error;
  console.error(error);
  return new MethodError(500, 'Internal server error');
}
