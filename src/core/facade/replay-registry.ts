import { rule, validate } from '../../shared/validate.ts';
import { copyFrame, isFrameOrMaker, type Frame } from '../api/frame.ts';

type Entry = Frame | (() => Frame);

const isEntry = rule(
  'a frame (text or binary), or a function that returns one',
  isFrameOrMaker,
  'Turn an object into text with JSON.stringify.',
);

/**
 * What the app wants replayed on every new connection, in order of first `set`.
 *
 * It is a Map from keys to frames, or to functions that make a frame and are called anew for each connection. `set` also sends
 * the frame now if there is a connection. `delete` stops the replay; what was sent is not taken back.
 *
 * @example
 * ws.subscriptions.set('news', JSON.stringify({ subscribe: 'news' }));
 * ws.subscriptions.set('auth', () => JSON.stringify({ token: currentToken() }));
 */
export class ReplayRegistry extends Map<unknown, Entry> {
  readonly #changed: (key: unknown) => void;

  /** @param changed called with each key that is set */
  constructor(changed: (key: unknown) => void) {
    super();
    this.#changed = changed;
  }

  /** @throws RangeError for an entry that is no frame and no function */
  override set(key: unknown, entry: Entry): this {
    validate('subscriptions.set', entry, isEntry);
    super.set(key, typeof entry === 'function' ? entry : copyFrame(entry));
    this.#changed(key);
    return this;
  }
}
