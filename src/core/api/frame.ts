/** A text or binary frame: everything that `WebSocket.send` accepts. */
export type Frame = string | ArrayBufferLike | Blob | ArrayBufferView;

/** Converts a value as `WebSocket.send` converts its argument: what is not binary becomes a string. */
export const toFrame = (frame: unknown): Frame =>
  typeof frame === 'string' ||
  frame instanceof Blob ||
  frame instanceof ArrayBuffer ||
  ArrayBuffer.isView(frame)
    ? frame
    : String(frame);

/** Is the value text or binary, of whatever realm? */
export const isTextOrBinary = (value: unknown): value is Frame =>
  typeof value === 'string' ||
  ArrayBuffer.isView(value) ||
  /^\[object (Blob|File|ArrayBuffer|SharedArrayBuffer)\]$/.test(Object.prototype.toString.call(value));

/** Is the value a frame, or a function that may make one? */
export const isFrameOrMaker = (value: unknown): boolean =>
  typeof value === 'function' || isTextOrBinary(value);

/**
 * Calls a function of the app that makes a frame.
 * @returns the frame; undefined if the function returned undefined
 * @throws TypeError for anything else, a promise for one
 */
export function makeFrame(make: () => Frame): Frame | undefined {
  const frame: unknown = make();
  if (frame === undefined || isTextOrBinary(frame)) return frame;
  throw new TypeError(
    `expected a frame (text or binary) at once, got ${Object.prototype.toString.call(frame)}`,
  );
}

/** Created at first use: an import has no effect, and jsdom has no TextEncoder. */
let utf8: TextEncoder | undefined;

/** Measures the payload of a frame in bytes; text counts as UTF-8, as on the wire. */
export function frameBytes(frame: Frame): number {
  if (typeof frame !== 'string') return frame instanceof Blob ? frame.size : frame.byteLength;
  if (typeof TextEncoder === 'undefined') return new Blob([frame]).size;
  return (utf8 ??= new TextEncoder()).encode(frame).length;
}

/**
 * Copies a frame that has to wait. `WebSocket.send` reads its argument at once, so an app may reuse its buffer after the
 * call; the copy keeps such a change out of the queue.
 */
export function copyFrame(frame: Frame): Frame {
  if (typeof frame === 'string' || frame instanceof Blob) return frame;
  return ArrayBuffer.isView(frame)
    ? new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength).slice()
    : frame.slice(0);
}
