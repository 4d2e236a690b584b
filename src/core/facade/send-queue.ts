import { FailoverError } from '../api/errors.ts';
import { copyFrame, frameBytes, type Frame } from '../api/frame.ts';
import type { QueueOptions } from '../api/options.ts';

/** Frames that wait for a connection: bounded, in order, never lost silently. */
export interface SendQueue {
  readonly messages: number;
  readonly bytes: number;
  /** @throws FailoverError `overflow` if the frame does not fit and the option says `throw`, or if it can never fit */
  push(frame: Frame): void;
  /** Hands the frames over in order until `send` returns false. Returns how many went. */
  flush(send: (frame: Frame) => boolean): number;
  /** Discards all frames. Returns how many. */
  clear(): number;
}

/** @param overflowed called with what did not fit */
export function createSendQueue(
  { maxBytes, maxMessages, overflow }: QueueOptions,
  overflowed: (messages: number, bytes: number) => void,
): SendQueue {
  const frames: { readonly frame: Frame; readonly size: number }[] = [];
  let bytes = 0;
  /** Removes the first `count` frames. */
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
          `The frame of ${size} bytes does not fit into the queue, which holds ${frames.length} of ${maxMessages} messages and ${bytes} of ${maxBytes} bytes. Send less while offline, or raise \`queue.maxBytes\` or \`queue.maxMessages\`.`,
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
