import type EventEmitter from 'eventemitter3';
import { isolate, type Env } from '../env/env.ts';

/** Emits as eventemitter3 does, except that a listener that throws does not keep the event from those after it. */
export function emitTo(
  emitter: Pick<EventEmitter, 'listeners' | 'off'>,
  env: Pick<Env, 'reportError'>,
  event: string,
  args: readonly unknown[],
): void {
  for (const listener of emitter.listeners(event)) {
    emitter.off(event, listener, undefined, true); // Removes it if it was registered by `once`.
    isolate(env, () => void listener(...args));
  }
}
