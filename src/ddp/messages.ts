import { FailoverError } from '../core/api/errors.ts';
import { formatValue } from '../shared/format-value.ts';
import { DDPError } from './errors.ts';
import { fromWire } from './ejson.ts';

/** Versions of DDP this client speaks, best first. They differ in details that do not concern it. */
export const VERSIONS: readonly string[] = ['1', 'pre2', 'pre1'];

/** DDP's own ping, sent as the link's heartbeat. The optional id is left out. */
export const PING = '{"msg":"ping"}';
/** Recognises the reply without parsing the frame: the link may ask about every frame. */
export const isPong = (data: unknown): boolean =>
  typeof data === 'string' && /^\s*{\s*"msg"\s*:\s*"pong"/.test(data);

/** The id of a document as the app sees it. */
export type DocumentId = string | number | boolean;
export type Fields = Record<string, unknown>;

/** A change of one document on the server. */
export interface DataMessage {
  readonly msg: 'added' | 'changed' | 'removed' | 'addedBefore' | 'movedBefore';
  readonly collection: string;
  readonly id: DocumentId;
  readonly fields: Fields;
  readonly cleared: readonly string[];
  /** The document it stands in front of; null: behind all others; undefined: the message has no order. */
  readonly before: DocumentId | null | undefined;
}

/** A message from the server, checked. It holds nothing but what is declared here. */
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
      /** Kind and id of the message that the server rejected, if it names them. */
      readonly offending: { readonly msg?: unknown; readonly id?: unknown };
    }
  /** Allowed, and meaningless for this client. */
  | { readonly msg: 'ignored' }
  /** Well formed, but of a kind this client does not know. */
  | { readonly msg: 'unknown'; readonly name: string }
  | { readonly msg: 'malformed'; readonly error: FailoverError };

/**
 * Meteor's own server neither takes nor makes longer frames (the limit of faye-websocket is 2²⁶ − 1 bytes). A longer one is not
 * parsed: that would block the page. Characters are counted, of which a text never has more than bytes.
 */
const MAX_LENGTH = 2 ** 26;

/** Checks one frame. Whatever is wrong with it makes a `malformed` message, never an exception. */
export function parseMessage(data: unknown): ServerMessage {
  try {
    const text = expectString(data, 'frame');
    if (text.length >= MAX_LENGTH)
      throw new TypeError(`frame: expected fewer than ${MAX_LENGTH} characters, got ${text.length}`);
    return readMessage(expectObject(JSON.parse(text), 'frame'));
  } catch (cause) {
    return {
      msg: 'malformed',
      error: malformedError(`a malformed frame, which was dropped: ${formatValue(data)}`, cause),
    };
  }
}

/** @param what names what could not be read, in the middle of a sentence */
const malformedError = (what: string, cause: unknown): FailoverError =>
  new FailoverError('malformed', `The server sent ${what}. ${(cause as Error).message}`, { cause });

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
        // The caller must not wait in vain: the call rejects.
        return {
          msg,
          id: id(),
          error: malformedError('a result that cannot be read', cause),
          result: undefined,
        };
      }
    case 'nosub':
      // Meteor sends it without an id when a publication without a name (`publish(null)`) has failed.
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
    case 'node': // server notices: the link has read them
    case 'drain':
      return { msg: 'ignored' };
    case undefined:
      // A greeting. Meteor before 3.0 sent {"server_id":"0"} on every raw WebSocket.
      return { msg: 'ignored' };
    default:
      return { msg: 'unknown', name: expectString(msg, 'msg') };
  }
}

function expectString(value: unknown, field: string): string {
  if (typeof value !== 'string') throw wrongType(field, 'a string', value);
  return value;
}

function expectStrings(value: unknown, field: string): readonly string[] {
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (!isList) throw wrongType(field, 'an array of strings', value);
  return value;
}

function expectObject(value: unknown, field: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongType(field, 'an object', value);
  return value as Fields;
}

const wrongType = (field: string, expected: string, value: unknown): TypeError =>
  new TypeError(
    `${field}: expected ${expected}, got ${Array.isArray(value) ? 'an array' : formatValue(value)}`,
  );

/** Reads the wire form of an id (Meteor's `MongoID.idParse`): `-text` is a text, `~json` a value that is no string, the rest as it is. */
function parseId(wire: string): DocumentId {
  if (wire[0] === '-') return wire.slice(1);
  if (wire[0] !== '~') return wire;
  const id: unknown = JSON.parse(wire.slice(1));
  // An object would not be found again in a Map: its text is.
  return typeof id === 'number' || typeof id === 'boolean' ? id : wire;
}

/** Makes the frame of a message to the server. Undefined fields are left out. */
export const encode = (message: Fields): string => JSON.stringify(message);
