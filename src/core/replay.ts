import { FailoverError } from './errors.ts';
import type { Frame, QueueOptions } from './options.ts';

type Entry = Frame | (() => Frame);

/**
 * What the app wants replayed on every new connection, in order of first `set`. A Map whose `set` also sends the frame now if
 * there is a connection; a function is asked anew each time. `delete` stops the replay; what was sent is not taken back.
 */
export class ReplayRegistry extends Map<unknown, Entry> {
  readonly #changed: (key: unknown) => void;

  /** @param changed is told each key that was set */
  constructor(changed: (key: unknown) => void) {
    super();
    this.#changed = changed;
  }

  override set(key: unknown, entry: Entry): this {
    super.set(key, typeof entry === 'function' ? entry : copyFrame(entry));
    this.#changed(key);
    return this;
  }
}

/** Frames that wait for a connection: bounded, in order, never lost silently. */
export interface SendQueue {
  readonly messages: number;
  readonly bytes: number;
  /** @throws FailoverError `overflow` if it does not fit and the option says `throw`, or can never fit */
  push(frame: Frame): void;
  /** Hands the frames over in order until `send` says it cannot take more; returns how many went. */
  flush(send: (frame: Frame) => boolean): number;
  /** Discards everything; returns how many. */
  clear(): number;
}

/** @param overflowed is told what did not fit */
export function createQueue(
  { maxBytes, maxMessages, overflow }: QueueOptions,
  overflowed: (messages: number, bytes: number) => void,
): SendQueue {
  const frames: { readonly frame: Frame; readonly size: number }[] = [];
  let bytes = 0;
  /** Takes the first `count` frames out. */
  const remove = (count: number) => {
    for (const { size } of frames.splice(0, count)) bytes -= size;
  };
  return {
    get messages() {
      return frames.length;
    },
    get bytes() {
      return bytes;
    },
    push(frame) {
      const size = frameBytes(frame);
      const fits = () => frames.length < maxMessages && bytes + size <= maxBytes;
      if (!fits() && (overflow === 'throw' || size > maxBytes || maxMessages < 1)) {
        overflowed(1, size);
        throw new FailoverError(
          'overflow',
          `send: ${size} bytes refused, ${frames.length}/${maxMessages} messages, ${bytes}/${maxBytes} bytes`,
        );
      }
      const messages = frames.length;
      const before = bytes;
      while (!fits()) remove(1);
      const dropped = messages - frames.length;
      const freed = before - bytes;
      frames.push({ frame: copyFrame(frame), size });
      bytes += size;
      if (dropped) overflowed(dropped, freed);
    },
    flush(send) {
      let sent = 0;
      while (sent < frames.length && send(frames[sent]!.frame)) sent += 1;
      remove(sent);
      return sent;
    },
    clear() {
      const { length } = frames;
      remove(length);
      return length;
    },
  };
}

const utf8 = new TextEncoder();

export function frameBytes(frame: Frame): number {
  if (typeof frame === 'string') return utf8.encode(frame).length;
  return frame instanceof Blob ? frame.size : frame.byteLength;
}

/** `WebSocket.send` copies at once; a frame that waits must not change under the queue either. */
function copyFrame(frame: Frame): Frame {
  if (typeof frame === 'string' || frame instanceof Blob) return frame;
  return ArrayBuffer.isView(frame)
    ? new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength).slice()
    : frame.slice(0);
}
