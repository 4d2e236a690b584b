/**
 * What is used of Meteor: structural, so that no version of it is imported. The same from 1.9 to 3.5 (`ddp-client`,
 * `socket-stream-client`); whatever lacks one of these is a version that is not known, and is left alone.
 */

/** `Meteor.connection`, or what `DDP.connect` returns. */
export interface MeteorConnection {
  _stream: MeteorStream;
  /** Of Meteor's own heartbeat, ms; read whenever a session begins, 0 is none. */
  _heartbeatInterval?: number;
  /** Calls without an answer, by id. */
  readonly _methodInvokers?: Readonly<Record<string, { sentMessage?: boolean }>>;
  readonly _subscriptions?: Readonly<Record<string, { readonly ready?: boolean }>>;
  /** Is data being held back until what was revived is ready? */
  _waitingForQuiescence?(): boolean;
  /** Since 3.5, whose server keeps a session for a while unless it is told that the client has left. */
  readonly _receivedCount?: number;
}

/** Meteor's ClientStream. */
export interface MeteorStream {
  rawUrl: string;
  currentStatus: MeteorStatus;
  readonly eventCallbacks: Readonly<Record<string, readonly unknown[] | undefined>>;
  readonly options?: { readonly retry?: boolean };
  forEachCallback(name: string, call: (callback: (...args: unknown[]) => void) => void): void;
  statusChanged(): void;
  on(name: string, callback: (...args: never[]) => void): void;
  send(data: string): void;
  status(): MeteorStatus;
  reconnect(options?: ReconnectOptions): void;
  disconnect(options?: DisconnectOptions): void;
  _lostConnection(error?: unknown): void;
}

/** As `Meteor.status()` returns it. */
export interface MeteorStatus {
  readonly status: 'connected' | 'connecting' | 'waiting' | 'offline' | 'failed';
  readonly connected: boolean;
  readonly retryCount: number;
  /** Unix time (ms) of the next dial, while it waits for one. Missing while the browser says that there is no network. */
  readonly retryTime?: number;
  /** Why it has failed. */
  readonly reason?: string;
}

export interface ReconnectOptions {
  readonly url?: string;
  readonly _force?: boolean;
}

export interface DisconnectOptions {
  readonly _permanent?: boolean;
  readonly _error?: string | undefined;
}

/** What Meteor's server tells the page. */
export interface RuntimeConfig {
  readonly ROOT_URL?: string;
  readonly ROOT_URL_PATH_PREFIX?: string;
  readonly DISABLE_SOCKJS?: unknown;
  /** Since 3.5. */
  readonly DDP_TRANSPORT?: string;
}

const METHODS = [
  'forEachCallback',
  'statusChanged',
  'on',
  'send',
  'status',
  'reconnect',
  'disconnect',
  '_lostConnection',
];

/** Is it the stream of a Meteor that is known? (That of Meteor's own server-to-server connections is another.) */
export function isKnown(stream: unknown): boolean {
  const it = Object(stream) as Record<string, unknown>;
  return (
    METHODS.every((name) => typeof it[name] === 'function') &&
    typeof it.rawUrl === 'string' &&
    // The Connection listens to it, and by the names it always had.
    ['message', 'reset'].every((name) => Array.isArray(Object(it.eventCallbacks)[name]))
  );
}
