/** An app in strict TypeScript that uses every entry: what must compile, and what must not. */
import {
  FailoverError,
  FailoverWebSocket,
  POLICIES,
  isFailoverError,
  type Env,
  type ErrorKind,
  type FailoverOptions,
  type FailoverReport,
  type Failure,
  type FailureKind,
  type Heartbeat,
  type Layer,
  type ProbeVerdict,
  type ReconnectPolicy,
  type ReplayRegistry,
  type Stats,
  type Status,
  type UrlProvider,
} from 'failover-websocket';
import {
  DDPClient,
  DDPError,
  EJSON,
  ObjectID,
  type Collection,
  type DDPOptions,
  type DdpLink,
  type Document,
  type Subscription,
} from 'failover-websocket/ddp';
import * as ddp from 'failover-websocket/ddp';
import {
  installFailover,
  type MeteorConnection,
  type MeteorFailoverOptions,
  type Uninstall,
} from 'failover-websocket/meteor';
import {
  drain,
  nodeIdentity,
  type Client,
  type Drain,
  type DrainOptions,
  type HttpServer,
  type NodeIdentity,
} from 'failover-websocket/server';
import { overSockjs, sockjsUrl, sockjsWebSocket } from 'failover-websocket/sockjs';

declare function use(...values: unknown[]): void;

/** Passes for exactly this type; `any` and unions that grew or shrank do not. */
declare function exactly<T>(): <U>(
  value: U & ((<V>() => V extends T ? 1 : 2) extends <V>() => V extends U ? 1 : 2 ? U : never),
) => void;

// --- The link in place of a WebSocket -------------------------------------------------------------------------------------

const provider: UrlProvider = async ({ attempt, cause, signal }) => {
  exactly<number>()(attempt);
  exactly<FailureKind | undefined>()(cause);
  exactly<AbortSignal>()(signal);
  return cause === 'unauthorized'
    ? new URL('wss://example.org/login')
    : ['wss://a.example', 'wss://b.example'];
};
const heartbeat: Heartbeat = { message: () => 'ping', isReply: (data) => data === 'pong' };
const options: FailoverOptions = {
  policy: { preset: 'fast', quietMs: 1_000 },
  heartbeat,
  probe: { url: '/up', timeoutMs: 1_000 },
  queue: { maxMessages: 10, overflow: 'drop-oldest' },
  handshake: async (send, receive) => {
    send(new Uint8Array(1));
    exactly<unknown>()(await receive());
  },
  identify: (data) => (typeof data === 'string' ? data : undefined),
  standby: 'warm',
  log: (level, event, detail) => use(level.toUpperCase(), event.length, detail),
  env: { random: () => 0.5, WebSocket },
};
const socket = new FailoverWebSocket(provider, ['v1'], options);
new FailoverWebSocket('/ws');
new FailoverWebSocket(new URL('wss://example.org'), undefined, {
  policy: 'frugal',
  heartbeat: { expectEveryMs: 1 },
});

socket.onmessage = function (event) {
  exactly<MessageEvent>()(event);
  exactly<FailoverWebSocket>()(this);
};
socket.addEventListener('close', (event) => exactly<CloseEvent>()(event), { once: true });
socket.addEventListener('app event', (event) => exactly<Event>()(event));
socket.subscriptions.set('key', () => 'frame').set({ any: 'key' }, new ArrayBuffer(1));
const registry: ReplayRegistry = socket.subscriptions;
socket.send(new Blob([]));
socket.binaryType = 'arraybuffer';
const target: EventTarget = socket;

socket
  .on('failover', (report) => exactly<FailoverReport>()(report))
  .once('down', (why) => exactly<Failure>()(why))
  .off('drain', ({ spreadMs }) => exactly<number>()(spreadMs))
  .on('warning', ({ kind, detail }) => use(kind satisfies string, detail))
  .on('giveup', (error) => exactly<ErrorKind>()(error.kind));

/** The compiler counts the cases: a status that is added or renamed fails here. */
function say(status: Status): string {
  switch (status.name) {
    case 'connecting':
      return status.first ? 'first' : String(status.attempt);
    case 'online':
      return status.node ?? 'somewhere';
    case 'suspect':
      return String(status.since);
    case 'waiting':
      return status.cause;
    case 'offline':
      return 'offline';
    case 'closed':
      return status.reason;
    case 'failed':
      return status.error.message;
    default:
      return status satisfies never;
  }
}
use(say(socket.status));
exactly<number | undefined>()(socket.stats().rttMs);
exactly<Readonly<ReconnectPolicy>>()(POLICIES.balanced);
const verdict = (report: FailoverReport): ProbeVerdict | undefined => report.probes[0]?.verdict;

try {
  use(registry, target, verdict);
} catch (error) {
  if (isFailoverError(error)) exactly<ErrorKind>()(error.kind);
}
const failure: Error = new FailoverError('timeout', 'too late', { cause: new Error() });

// @ts-expect-error A misspelt option.
new FailoverWebSocket('/ws', [], { heartbeet: false });
// @ts-expect-error No such policy.
new FailoverWebSocket('/ws', [], { policy: 'quick' });
// @ts-expect-error With exactOptionalPropertyTypes an option is left out, not undefined.
new FailoverWebSocket('/ws', [], { hedge: undefined });
// @ts-expect-error A heartbeat is active or passive.
new FailoverWebSocket('/ws', [], { heartbeat: { message: 'ping', expectEveryMs: 1_000 } });
// @ts-expect-error A URL is needed.
new FailoverWebSocket();
// @ts-expect-error No such event.
socket.on('failed', () => {});
// @ts-expect-error The report has no such field.
socket.on('failover', (report) => report.duration);
// @ts-expect-error What is sent is a frame, not an object.
socket.send({ msg: 'ping' });
// @ts-expect-error Only the link sets its status.
socket.status = { name: 'offline', since: 0 };
// @ts-expect-error A kind of error that does not exist.
new FailoverError('broken', '');
// @ts-expect-error A DOM event is typed.
socket.addEventListener('close', (event: MessageEvent) => event.data);
// @ts-expect-error Presets cannot be changed.
POLICIES.fast.quietMs = 1;
// @ts-expect-error The machine inside is nobody's business.
use(socket.link);

// --- DDP ------------------------------------------------------------------------------------------------------------------

interface Todo {
  readonly text: string;
  readonly done?: boolean;
}
const ddpOptions: DDPOptions = { ...options, quiescenceTimeoutMs: 1_000, tokenStorage: localStorage };
const client = new DDPClient('wss://example.org/websocket', ddpOptions);
const todos: Collection<Todo> = client.collection<Todo>('todos');
const subscription: Subscription = client.subscribe('todos', 5, () => todos.size);
const handle = todos.observe({
  added: (todo) => exactly<string>()(todo.text),
  changed: (todo, previous) => use(todo._id, previous.done),
});
const stop: () => void = todos.subscribe((documents) => use(documents.map(({ text }) => text)));
todos.find({ done: true });
todos.find((todo: Document<Todo>) => todo.text === '');

async function work(): Promise<void> {
  await subscription.ready;
  exactly<string>()(await client.call<string>('echo', 'x'));
  exactly<unknown>()(await client.call('echo'));
  await client.apply('add', ['x'], {
    retry: false,
    timeoutMs: Infinity,
    signal: new AbortController().signal,
  });
  await client.loginWithPassword({ email: 'a@example.org' }, 'secret');
  for await (const documents of todos) use(documents.length);
}
client
  .on('error', (error) => exactly<FailoverError>()(error))
  .on('failover', (report) => exactly<FailoverReport>()(report));
exactly<FailoverWebSocket>()(client.link);
const ddpError = (error: unknown): string | number => (error instanceof DDPError ? error.code : 0);
exactly<string>()(new ObjectID('0123456789abcdef01234567').hex);
EJSON.addType('point', (value) => value);
exactly<Date>()(EJSON.clone(new Date()));
// One class, whichever entry it comes from.
const sameClass: typeof FailoverError = ddp.FailoverError;

// @ts-expect-error A document has no such field.
todos.find({ title: 'x' });
// @ts-expect-error Documents are frozen.
todos.find()[0]!.text = '';
// @ts-expect-error This option is the link's own.
new DDPClient('wss://example.org', { layer: {} as Layer });
// @ts-expect-error A misspelt option of a call.
void client.apply('add', [], { timeout: 5 });
// @ts-expect-error An id is 24 hex digits, as a text.
new ObjectID(5);

/** A transport of one's own. */
const custom = (url: unknown): DdpLink => use(url) as never;
exactly<DdpLink>()(new DDPClient('wss://example.org', {}, custom).link);

// --- SockJS, Meteor and the companion -------------------------------------------------------------------------------------

const overSock: FailoverWebSocket = new DDPClient('wss://example.org/sockjs', {}, overSockjs).link;
exactly<string>()(sockjsUrl(new URL('wss://example.org/sockjs')));
exactly<typeof WebSocket>()(sockjsWebSocket(WebSocket));
// @ts-expect-error SockJS's framing is over a class, not over a socket.
sockjsWebSocket(new WebSocket('wss://example.org'));

declare const connection: MeteorConnection;
const meteorOptions: MeteorFailoverOptions = { transport: 'sockjs', fallbackAfterMs: 5_000, policy: 'fast' };
const uninstall: Uninstall = installFailover(connection, meteorOptions);
exactly<FailoverWebSocket | undefined>()(uninstall.link);
// @ts-expect-error Meteor's own transports only.
installFailover(connection, { transport: 'xhr' });
// @ts-expect-error A warm standby is not for Meteor.
installFailover(connection, { standby: 'warm' });

declare const http: HttpServer;
const clients = new Set<Client>();
const drainOptions: DrainOptions = { clients, afterMs: 5_000, onDrained: () => Promise.resolve() };
const leaving: Drain = drain(http, drainOptions);
exactly<Promise<void>>()(leaving.start());
const identity: NodeIdentity = nodeIdentity({ id: 'n1', clients: [clients, () => clients] });
// @ts-expect-error Somebody has to be told.
drain(http, {});
// @ts-expect-error A number of sockets is no source of clients.
nodeIdentity({ id: 'n1', clients: 5 });

const world: Pick<Env, 'now' | 'random'> = { now: () => 0, random: () => 0 };
const counters: (keyof Stats)[] = ['dials', 'rttMs'];
use(failure, handle, stop, work, ddpError, sameClass, overSock, identity, world, counters);
