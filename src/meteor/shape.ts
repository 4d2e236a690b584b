/**
 * The parts of Meteor that are used. They are described by structure, so that no version of Meteor is imported. They are the
 * same in the `ddp-client` and `socket-stream-client` of Meteor 1.9 to 3.5. A version that lacks one of them is not known, and
 * is left alone.
 */

/** `Meteor.connection`, or what `DDP.connect` returns. */
export interface MeteorConnection {
  _stream: MeteorStream;
  /** The interval of Meteor's own heartbeat, ms. Meteor reads it when a session begins; 0 turns the heartbeat off. */
  _heartbeatInterval?: number;
  /** Calls without an answer, by id. */
  readonly _methodInvokers?: Readonly<Record<string, MeteorCall>>;
  readonly _subscriptions?: Readonly<Record<string, { readonly ready?: boolean }>>;
  /** True while Meteor holds data back until all subscriptions sent again are ready. */
  _waitingForQuiescence?(): boolean;
  /** Present since Meteor 3.5, whose server keeps a session for a while unless the client says that it leaves. */
  readonly _receivedCount?: number;
}

/** A call without an answer. */
export interface MeteorCall {
  /** True once its frame was handed to the stream. Meteor fails a call with `noRetry` at `reset` if this is true. */
  sentMessage?: boolean;
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

/** The value of `Meteor.status()`. */
export interface MeteorStatus {
  readonly status: 'connected' | 'connecting' | 'waiting' | 'offline' | 'failed';
  readonly connected: boolean;
  /** The number of dials in this outage. The very first dial of all is no retry and does not count. */
  readonly retryCount: number;
  /** Unix time of the next dial, ms, while waiting for it. Missing while the browser reports that there is no network. */
  readonly retryTime?: number;
  /** Why the connection has failed for good. */
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

/** The settings that Meteor's server writes into the page. */
export interface RuntimeConfig {
  readonly ROOT_URL?: string;
  readonly ROOT_URL_PATH_PREFIX?: string;
  readonly DISABLE_SOCKJS?: unknown;
  /** Present since Meteor 3.5. */
  readonly DDP_TRANSPORT?: string;
}

/** Calls without an answer, by id. */
export const callsOf = (client: MeteorConnection): Readonly<Record<string, MeteorCall>> =>
  client._methodInvokers ?? {};

export const subscriptionsOf = (client: MeteorConnection): NonNullable<MeteorConnection['_subscriptions']> =>
  client._subscriptions ?? {};

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

/** Is this the stream of a known Meteor? The stream of Meteor's server-to-server connections has another shape. */
export function isKnownStream(stream: unknown): stream is MeteorStream {
  const it = Object(stream) as Record<string, unknown>;
  return (
    METHODS.every((name) => typeof it[name] === 'function') &&
    typeof it.rawUrl === 'string' &&
    // Meteor's Connection listens to these two events.
    ['message', 'reset'].every((name) => Array.isArray(Object(it.eventCallbacks)[name]))
  );
}
