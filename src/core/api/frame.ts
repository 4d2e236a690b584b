/** A text or binary frame, as `WebSocket.send` takes it. */
export type Frame = string | ArrayBufferLike | Blob | ArrayBufferView;

/** What `WebSocket.send` makes of its argument: anything that is no binary is a string. */
export const toFrame = (frame: unknown): Frame =>
  typeof frame === 'string' ||
  frame instanceof Blob ||
  frame instanceof ArrayBuffer ||
  ArrayBuffer.isView(frame)
    ? frame
    : String(frame);

/** Made at its first use: an import has no effect, and jsdom knows no TextEncoder. */
let utf8: TextEncoder | undefined;

/** Size of a frame on the wire, in bytes. */
export function frameBytes(frame: Frame): number {
  if (frame instanceof Blob) return frame.size;
  if (typeof frame !== 'string') return frame.byteLength;
  if (typeof TextEncoder === 'undefined') return new Blob([frame]).size;
  return (utf8 ??= new TextEncoder()).encode(frame).length;
}

/** `WebSocket.send` copies at once; a frame that waits must not change under the queue either. */
export function copyFrame(frame: Frame): Frame {
  if (typeof frame === 'string' || frame instanceof Blob) return frame;
  return ArrayBuffer.isView(frame)
    ? new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength).slice()
    : frame.slice(0);
}
