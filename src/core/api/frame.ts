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

/** Created at first use: an import has no effect, and jsdom has no TextEncoder. */
let utf8: TextEncoder | undefined;

/** Measures the payload of a frame in bytes; text counts as UTF-8, as on the wire. */
export function frameBytes(frame: Frame): number {
  if (frame instanceof Blob) return frame.size;
  if (typeof frame !== 'string') return frame.byteLength;
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
