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

const utf8 = new TextEncoder();

export function frameBytes(frame: Frame): number {
  if (typeof frame === 'string') return utf8.encode(frame).length;
  return frame instanceof Blob ? frame.size : frame.byteLength;
}

/** `WebSocket.send` copies at once; a frame that waits must not change under the queue either. */
export function copyFrame(frame: Frame): Frame {
  if (typeof frame === 'string' || frame instanceof Blob) return frame;
  return ArrayBuffer.isView(frame)
    ? new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength).slice()
    : frame.slice(0);
}
