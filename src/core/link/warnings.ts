import { formatValue } from '../../shared/format-value.ts';
import type { FailoverEvents, WarningKind } from '../api/events.ts';

/** Tells the app what went wrong without ending anything. */
export interface Warnings {
  warn(kind: WarningKind, message: string, detail?: unknown): void;
  /** @param callback the option or registry whose function threw */
  warnCallbackThrew(callback: string, error: unknown): void;
  /** Calls the app's code; what it throws becomes a warning and undefined. */
  guard<T>(callback: string, call: () => T): T | undefined;
}

export function createWarnings(
  emit: (event: 'warning', ...args: FailoverEvents['warning']) => void,
): Warnings {
  const warn: Warnings['warn'] = (kind, message, detail) => emit('warning', { kind, message, detail });
  const warnCallbackThrew: Warnings['warnCallbackThrew'] = (callback, error) =>
    warn(
      'callback',
      `\`${callback}\` of the app threw ${formatValue(error)}. It must not throw; the link goes on without its answer.`,
      error,
    );
  return {
    warn,
    warnCallbackThrew,
    guard(callback, call) {
      try {
        return call();
      } catch (error) {
        warnCallbackThrew(callback, error);
        return undefined;
      }
    },
  };
}
