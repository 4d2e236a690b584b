import { copyFrame, type Frame } from '../api/frame.ts';

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
