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
export class SendQueue {
  #frames: { readonly frame: Frame; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(
    private readonly limits: QueueOptions,
    private readonly overflowed: (messages: number, bytes: number) => void,
  ) {}

  get messages(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws FailoverError `overflow` if it does not fit and the option says `throw`, or can never fit */
  push(frame: Frame): void {
    const { maxBytes, maxMessages, overflow } = this.limits;
    const bytes = frameBytes(frame);
    const fits = () => this.#frames.length < maxMessages && this.#bytes + bytes <= maxBytes;
    if (!fits() && (overflow === 'throw' || bytes > maxBytes || maxMessages < 1)) {
      this.overflowed(1, bytes);
      throw new FailoverError(
        'overflow',
        `send: queue full (${this.#frames.length} of ${maxMessages} messages, ${this.#bytes} of ${maxBytes} bytes), ${bytes} bytes refused`,
      );
    }
    let messages = 0;
    let dropped = 0;
    while (!fits()) {
      const oldest = this.#frames.shift()!;
      this.#bytes -= oldest.bytes;
      messages += 1;
      dropped += oldest.bytes;
    }
    this.#frames.push({ frame: copyFrame(frame), bytes });
    this.#bytes += bytes;
    if (messages) this.overflowed(messages, dropped);
  }

  /** Hands the frames over in order until `send` says it cannot take more; returns how many went. */
  flush(send: (frame: Frame) => boolean): number {
    let sent = 0;
    let next;
    while ((next = this.#frames[sent]) && send(next.frame)) {
      sent += 1;
      this.#bytes -= next.bytes;
    }
    this.#frames.splice(0, sent);
    return sent;
  }

  clear(): number {
    const { length } = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    return length;
  }
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
