import { expect } from 'vitest';
import {
  installFailover,
  type MeteorConnection,
  type MeteorFailoverOptions,
  type MeteorStatus,
  type MeteorStream,
} from '../../src/meteor/index.ts';
import { Cluster } from './ddp-cluster.ts';
import { World, type Behaviour } from './world.ts';

type Message = Record<string, unknown>;
type Callback = (...args: unknown[]) => void;

/** The contract of Meteor's ClientStream (1.9 to 3.4), over a raw WebSocket. */
export class ClientStream {
  rawUrl = '/';
  options: { retry?: boolean } = { retry: true };
  eventCallbacks: Record<string, Callback[]> = {};
  currentStatus: MeteorStatus = { status: 'connecting', connected: false, retryCount: 0 };
  /** Stands for Tracker's dependency: how often it was read, and how often it changed. */
  statusListeners = { asked: 0, changes: 0 };
  statusChanged = () => void this.statusListeners.changes++;
  socket: WebSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #forced = false;

  constructor(readonly world: World) {
    this.#launch();
  }

  on(name: string, callback: Callback): void {
    (this.eventCallbacks[name] ??= []).push(callback);
  }

  forEachCallback(name: string, call: (callback: Callback) => void): void {
    this.eventCallbacks[name]?.forEach(call);
  }

  status(): MeteorStatus {
    this.statusListeners.asked++;
    return this.currentStatus;
  }

  send(data: string): void {
    if (this.currentStatus.connected) this.socket!.send(data);
  }

  reconnect({ url, _force }: { url?: string; _force?: boolean } = {}): void {
    if (url) this.rawUrl = url;
    if (this.currentStatus.connected) {
      if (_force || url) this._lostConnection();
      return;
    }
    if (this.currentStatus.status === 'connecting') this._lostConnection();
    clearTimeout(this.#retry);
    this.#set({ retryCount: this.currentStatus.retryCount - 1 });
    this.#retryNow();
  }

  disconnect({ _permanent, _error }: { _permanent?: boolean; _error?: string } = {}): void {
    if (this.#forced) return;
    this.#forced = !!_permanent;
    this.#cleanup();
    clearTimeout(this.#retry);
    this.currentStatus = { status: _permanent ? 'failed' : 'offline', connected: false, retryCount: 0 };
    if (_error) this.#set({ reason: _error });
    this.statusChanged();
  }

  _lostConnection(): void {
    this.#cleanup();
    this.#retry = setTimeout(() => this.#retryNow(), 10);
    this.#set({ status: 'waiting', connected: false, retryTime: this.world.now + 10 });
    this.statusChanged();
  }

  #retryNow(): void {
    if (this.#forced) return;
    this.#set({ status: 'connecting', connected: false, retryCount: this.currentStatus.retryCount + 1 });
    this.statusChanged();
    this.#launch();
  }

  #set(some: Partial<MeteorStatus>): void {
    Object.assign(this.currentStatus, some);
  }

  #cleanup(): void {
    const { socket } = this;
    this.socket = undefined;
    socket?.close();
    this.forEachCallback('disconnect', (callback) => callback());
  }

  #launch(): void {
    this.#cleanup();
    const socket = (this.socket = new this.world.env.WebSocket!(
      `wss://app.example${this.rawUrl.replace(/\/?$/, '/websocket')}`,
    ) as WebSocket);
    const mine = () => this.socket === socket;
    socket.addEventListener('open', () => {
      if (!mine()) return;
      this.#set({ status: 'connected', connected: true, retryCount: 0 });
      this.statusChanged();
      this.forEachCallback('reset', (callback) => callback());
    });
    socket.addEventListener('message', ({ data }) => {
      if (mine()) this.forEachCallback('message', (callback) => callback(data));
    });
    socket.addEventListener('close', () => mine() && this._lostConnection());
  }
}

interface Invoker {
  readonly message: Message;
  readonly noRetry: boolean;
  sentMessage: boolean;
  result?: Message;
  updated?: boolean;
  settle(result: unknown): void;
}

/** What Meteor's Connection does with its stream: it sends everything again at `reset`, and holds data back until all is there. */
export class Connection {
  readonly _stream: MeteorStream;
  _heartbeatInterval = 17_500;
  _methodInvokers: Record<string, Invoker> = {};
  _subscriptions: Record<string, { name: string; ready: boolean }> = {};
  _receivedCount?: number;
  /** Events of an observer of the documents. */
  readonly events: string[] = [];
  /** Results of the calls, in the order they ended. */
  readonly settled: string[] = [];
  /** Events of its stream. */
  readonly told: string[] = [];
  /** Called at `reset`, as Meteor's accounts package resumes a login then. */
  onReconnect: () => void = () => {};
  #docs = new Map<string, string>();
  #fresh: Map<string, string> | undefined;
  #reviving = new Set<string>();
  #sessions = 0;
  #ids = 0;

  constructor(stream: ClientStream) {
    this._stream = stream as never;
    stream.on('message', (data) => this.#message(JSON.parse(data as string) as Message));
    stream.on('reset', () => this.#reset());
    stream.on('disconnect', () => void this.told.push('disconnect'));
  }

  call(method: string, params: unknown[], noRetry = false): void {
    const id = String(++this.#ids);
    const settle = (result: unknown) => void this.settled.push(`${id} ${JSON.stringify(result)}`);
    const message = { msg: 'method', method, params, id };
    this._methodInvokers[id] = { message, noRetry, sentMessage: true, settle };
    this.#send(message);
  }

  subscribe(name: string): () => void {
    const id = `s${++this.#ids}`;
    this._subscriptions[id] = { name, ready: false };
    this.#send({ msg: 'sub', id, name, params: [] });
    return () => {
      delete this._subscriptions[id];
      this.#send({ msg: 'unsub', id });
    };
  }

  _waitingForQuiescence(): boolean {
    return this.#reviving.size > 0;
  }

  #send(message: Message): void {
    this._stream.send(JSON.stringify(message));
  }

  #reset(): void {
    this.told.push('reset');
    this.#send({ msg: 'connect', version: '1', support: ['1'] });
    for (const [id, invoker] of Object.entries(this._methodInvokers)) {
      if (!invoker.sentMessage || !invoker.noRetry || invoker.result) continue;
      invoker.settle('invocation-failed');
      delete this._methodInvokers[id];
    }
    this.onReconnect();
    for (const { message, result } of Object.values(this._methodInvokers)) if (!result) this.#send(message);
    for (const [id, { name }] of Object.entries(this._subscriptions))
      this.#send({ msg: 'sub', id, name, params: [] });
  }

  #message(message: Message): void {
    const { msg, id } = message;
    const fields = JSON.stringify(message.fields);
    const docs = this.#fresh ?? this.#docs;
    switch (msg) {
      case 'connected':
        if (this.#sessions++ === 0) return;
        this.#fresh = new Map();
        for (const [sub, { ready }] of Object.entries(this._subscriptions))
          if (ready) this.#reviving.add(sub);
        return this.#quiesce();
      case 'added':
      case 'changed':
        if (!this.#fresh) this.events.push(`${msg} ${String(id)}`);
        return void docs.set(id as string, fields);
      case 'removed':
        if (!this.#fresh) this.events.push(`removed ${String(id)}`);
        return void docs.delete(id as string);
      case 'ready':
        for (const sub of message.subs as string[]) {
          if (this._subscriptions[sub]) this._subscriptions[sub].ready = true;
          this.#reviving.delete(sub);
        }
        return this.#quiesce();
      case 'result':
        return this.#answered(id as string, (invoker) => (invoker.result = message));
      case 'updated':
        for (const method of message.methods as string[])
          this.#answered(method, (invoker) => (invoker.updated = true));
        return;
      case 'nosub':
        return;
      default:
        this.told.push(`unknown ${JSON.stringify(message)}`);
    }
  }

  #answered(id: string, note: (invoker: Invoker) => void): void {
    const invoker = this._methodInvokers[id];
    if (!invoker) return void this.told.push(`answer to nothing: ${id}`);
    note(invoker);
    if (!invoker.result || !invoker.updated) return;
    delete this._methodInvokers[id];
    invoker.settle(invoker.result.result);
  }

  /** Everything is there again: the app sees only the difference. */
  #quiesce(): void {
    if (!this.#fresh || this.#reviving.size > 0) return;
    const [before, after] = [this.#docs, this.#fresh];
    for (const id of before.keys()) if (!after.has(id)) this.events.push(`removed ${id}`);
    for (const [id, fields] of after)
      if (before.get(id) !== fields) this.events.push(`${before.has(id) ? 'changed' : 'added'} ${id}`);
    [this.#docs, this.#fresh] = [after, undefined];
  }
}

/** A Meteor client as its app finds it when its code begins to run: the first dial is under way. */
export const createMeteorApp = (world: World): Connection & MeteorConnection =>
  new Connection(new ClientStream(world));

/** A world with a Meteor app and one cluster, whose collection has one document. */
export class MeteorWorld extends World {
  readonly cluster = new Cluster(this);

  constructor() {
    super();
    this.cluster.docs.set('a', { n: 1 });
  }

  install(app = createMeteorApp(this), options: MeteorFailoverOptions = {}) {
    const uninstall = installFailover(app, {
      policy: 'fast',
      probe: false,
      transport: 'websocket',
      ...options,
      env: { ...this.env, ...options.env },
    });
    return { app, uninstall };
  }

  /** An app with a ready subscription, on a link that is up. */
  async up(options?: MeteorFailoverOptions, node: Behaviour = this.cluster.node()) {
    this.behaviour = node;
    const all = this.install(undefined, options);
    all.app.subscribe('docs');
    await this.pass(300);
    expect(all.app._stream.status()).toEqual({ status: 'connected', connected: true, retryCount: 0 });
    all.app.told.length = 0;
    return all;
  }
}
