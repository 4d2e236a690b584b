/** The DDP frames that the library itself sends or looks at. They are recognised as text, so that no frame is parsed twice. */

export const PING = '{"msg":"ping"}';
export const DISCONNECT = '{"msg":"disconnect"}';

/** A Meteor server that was sent no `connect` yet (a replacement on trial) answers a ping with an error. */
const PING_REPLY = /^\{"msg":"(pong"|error".*"offendingMessage":\{"msg":"ping")/s;
const SERVER_NOTICE = /^\{"msg":"(node|drain)"/;
const CONNECTED = /^\{"msg":"connected"/;
const METHOD = /^\{"msg":"method"/;

export const isPingReply = (data: unknown): boolean => PING_REPLY.test(data as string);

/** Notices are for the link. Meteor logs a warning for a message it does not know. */
export const isServerNotice = (data: unknown): boolean => SERVER_NOTICE.test(data as string);

/** `connected` begins a session. */
export const isConnected = (data: unknown): boolean => CONNECTED.test(data as string);

/** The id of the call in a method frame; undefined for any other frame. */
export const methodIdOf = (frame: string): string | undefined =>
  METHOD.test(frame) ? (JSON.parse(frame) as { id: string }).id : undefined;
