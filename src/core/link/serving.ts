import type { Leaving, ResolvedOptions } from '../api/options.ts';
import { NO_CLOSE_FRAME, type CloseDetails } from '../rules/classify.ts';
import type { Connection } from './connection.ts';
import type { Recorder } from './recorder.ts';

/** How long `close()` waits for the peer's close frame, ms. Engines wait 5 to 90 s on a dead path (measured). */
const CLOSE_LINGER_MS = 1_000;

/** The connection in use, and the one being left. */
export interface Serving {
  readonly current: Connection | undefined;
  /** True from `close` on, until the peer has answered or time is up. */
  readonly isClosing: boolean;
  isLeaving(connection: Connection): boolean;
  /**
   * Makes a connection the one in use. The one before it is closed at once; or, with `letLayerLeave` and a layer that wants it,
   * when the layer needs it no more.
   */
  use(connection: Connection, letLayerLeave: boolean): void;
  /** Detaches and closes the connection in use, if there is one. What it may not have delivered counts as unconfirmed. */
  retire(): void;
  /** Closes the connection in use and drops its events. Nothing is recorded. */
  detach(): void;
  /** Hands a frame of the connection being left to the layer. */
  frameFromLeaving(data: unknown): void;
  /** Closes the connection being left: nothing more is wanted of it. */
  endLeaving(): void;
  /** Closes the connection in use in an orderly way. `onClosed` is called once: when the peer has answered, or after a second. */
  close(code: number, reason: string, onClosed: (end: CloseDetails) => void): void;
  /** The connection in use ended by itself while it was being closed. */
  finishClose(end: CloseDetails): void;
}

export function createServing(
  { env, layer, policy }: Pick<ResolvedOptions, 'env' | 'layer' | 'policy'>,
  recorder: Recorder,
): Serving {
  let current: Connection | undefined;
  let leaving: { readonly connection: Connection; readonly to: Leaving; readonly timer: unknown } | undefined;
  let finishClose: ((end: CloseDetails) => void) | undefined;

  const detach = (): void => {
    current?.detach();
    current = undefined;
  };

  const retire = (): void => {
    if (!current) return;
    recorder.noteReplaced(current);
    recorder.addUnconfirmed(layer?.unconfirmed?.() ?? current.sent - current.confirmed);
    detach();
  };

  const endLeaving = (): void => {
    if (!leaving) return;
    const { connection, to, timer } = leaving;
    leaving = undefined;
    env.clearTimeout(timer);
    connection.detach();
    to.left();
  };

  return {
    get current() {
      return current;
    },
    get isClosing() {
      return finishClose !== undefined;
    },
    isLeaving: (connection) => connection === leaving?.connection,
    use(connection, letLayerLeave) {
      if (current) recorder.noteReplaced(current);
      const to = letLayerLeave && layer?.leave();
      if (to && current) {
        endLeaving();
        // The layer is given a limit: nothing hangs for ever.
        leaving = { connection: current, to, timer: env.setTimeout(endLeaving, policy.deadlineCapMs) };
        void to.done.then(() => leaving?.to === to && endLeaving());
      } else retire();
      current = connection;
    },
    retire,
    detach,
    frameFromLeaving: (data) => leaving!.to.frame(data),
    endLeaving,
    close(code, reason, onClosed) {
      const timer = env.setTimeout(
        () => finishClose?.(NO_CLOSE_FRAME),
        // A link that was never open ends at once, as a WebSocket does.
        current ? CLOSE_LINGER_MS : 0,
      );
      finishClose = (end) => {
        finishClose = undefined;
        env.clearTimeout(timer);
        detach();
        onClosed(end);
      };
      current?.socket.close(code, reason);
    },
    finishClose: (end) => finishClose?.(end),
  };
}
