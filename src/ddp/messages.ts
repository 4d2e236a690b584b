import { FailoverError } from '../core/api/errors.ts';
import { formatValue } from '../shared/format-value.ts';
import { DDPError } from './errors.ts';
import { fromWire } from './ejson.ts';

/** Versions of DDP we speak, best first (they differ in details that do not concern a client like this one). */
export const VERSIONS: readonly string[] = ['1', 'pre2', 'pre1'];

/** DDP's own ping and pong, as the link's heartbeat. */
export const PING = '{"msg":"ping"}';
export const isPong = (data: unknown): boolean =>
  typeof data === 'string' && /^\s*{\s*"msg"\s*:\s*"pong"/.test(data);

/** A document's id as the app sees it. */
export type DocumentId = string | number | boolean;
export type Fields = Record<string, unknown>;

/** What happened to one document on the server. */
export interface DataMessage {
  readonly msg: 'added' | 'changed' | 'removed' | 'addedBefore' | 'movedBefore';
  readonly collection: string;
  readonly id: DocumentId;
  readonly fields: Fields;
  readonly cleared: readonly string[];
  /** In front of which document, null: behind all; undefined where the message says nothing of places. */
  readonly before: DocumentId | null | undefined;
}

/** A frame from the server, checked: nothing in it but what is declared here. */
export type ServerMessage =
  | DataMessage
  | { readonly msg: 'connected' }
  | { readonly msg: 'failed'; readonly version: string }
  | { readonly msg: 'ping'; readonly id: string | undefined }
  | { readonly msg: 'ready'; readonly ids: readonly string[] }
  | { readonly msg: 'nosub'; readonly id: string; readonly error: DDPError | undefined }
  | {
      readonly msg: 'result';
      readonly id: string;
      readonly error: FailoverError | undefined;
      readonly result: unknown;
    }
  | { readonly msg: 'updated'; readonly ids: readonly string[] }
  | {
      readonly msg: 'error';
      readonly reason: string;
      /** The kind and the id of the message that the server complains about, as far as it says so. */
      readonly offending: { readonly msg?: unknown; readonly id?: unknown };
    }
  /** Allowed and of no meaning here. */
  | { readonly msg: 'ignored' }
  /** Well formed, but of a kind this client does not know. */
  | { readonly msg: 'unknown'; readonly name: string }
  | { readonly msg: 'malformed'; readonly error: FailoverError };

/** The longest frame Meteor's own server takes or makes (faye-websocket's limit, 2²⁶ − 1 bytes); of what is longer nothing is parsed. */
const MAX_LENGTH = 2 ** 26;

/** Checks one frame; whatever is wrong with it becomes a `malformed` message, never an exception. */
export function parseMessage(data: unknown): ServerMessage {
  try {
    const text = expectString(data, 'frame');
    ensure(text, 'length', text.length < MAX_LENGTH);
    return readMessage(expectObject(JSON.parse(text), 'frame'));
  } catch (cause) {
    return {
      msg: 'malformed',
      error: malformedError(`${(cause as Error).message}: ${formatValue(data)}`, cause),
    };
  }
}

export const malformedError = (message: string, cause?: unknown): FailoverError =>
  new FailoverError('malformed', `malformed: ${message}`, { cause });

function readMessage(frame: Fields): ServerMessage {
  const { msg } = frame;
  const id = () => expectString(frame.id, 'id');
  const error = () => (frame.error === undefined ? undefined : new DDPError(fromWire(frame.error)));
  switch (msg) {
    case 'added':
    case 'changed':
    case 'removed':
    case 'addedBefore':
    case 'movedBefore':
      return {
        msg,
        collection: expectString(frame.collection, 'collection'),
        id: parseId(id()),
        fields: expectObject(fromWire(frame.fields ?? {}, true), 'fields'),
        cleared: expectStrings(frame.cleared ?? [], 'cleared'),
        before: msg.endsWith('Before')
          ? frame.before === null
            ? null
            : parseId(expectString(frame.before, 'before'))
          : undefined,
      };
    case 'ready':
      return { msg, ids: expectStrings(frame.subs, 'subs') };
    case 'updated':
      return { msg, ids: expectStrings(frame.methods, 'methods') };
    case 'result':
      try {
        return { msg, id: id(), error: error(), result: fromWire(frame.result) };
      } catch (cause) {
        // Whoever waits for it shall not wait in vain.
        return { msg, id: id(), error: malformedError((cause as Error).message, cause), result: undefined };
      }
    case 'nosub':
      // Without an id: a publication of Meteor's that nobody subscribes to (`publish(null)`) has failed.
      return { msg, id: frame.id === undefined ? '' : id(), error: error() };
    case 'ping':
      return { msg, id: frame.id === undefined ? undefined : id() };
    case 'connected':
      return { msg };
    case 'failed':
      return { msg, version: expectString(frame.version, 'version') };
    case 'error':
      return {
        msg,
        reason: formatValue(frame.reason),
        offending: Object(frame.offendingMessage) as object,
      };
    case 'pong':
    case 'node': // server notices: the layer below has read them
    case 'drain':
      return { msg: 'ignored' };
    case undefined:
      // Servers may greet so: Meteor's, before 3.0, said {"server_id":"0"} on every raw WebSocket.
      return { msg: 'ignored' };
    default:
      return { msg: 'unknown', name: expectString(msg, 'msg') };
  }
}

function ensure<T>(value: unknown, what: string, ok: boolean): T {
  if (!ok) throw new TypeError(`bad ${what}`);
  return value as T;
}

const expectString = (value: unknown, what: string): string => ensure(value, what, typeof value === 'string');

const expectStrings = (value: unknown, what: string): readonly string[] =>
  ensure(value, what, Array.isArray(value) && value.every((item) => typeof item === 'string'));

const expectObject = (value: unknown, what: string): Fields =>
  ensure(value, what, typeof value === 'object' && value !== null && !Array.isArray(value));

/** The wire form of ids (Meteor's `MongoID.idParse`): `-text` is the text, `~json` a value that is no string, else the id itself. */
function parseId(wire: string): DocumentId {
  if (wire[0] === '-') return wire.slice(1);
  if (wire[0] !== '~') return wire;
  const id: unknown = JSON.parse(wire.slice(1));
  // An object as an id has no identity to be found by again: its text has.
  return typeof id === 'number' || typeof id === 'boolean' ? id : wire;
}

/** A client message as its frame; what is undefined is left out. */
export const encode = (message: Fields): string => JSON.stringify(message);
