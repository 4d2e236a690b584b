import type { Status } from '../api/events.ts';
import type { State } from './machine.ts';

/** Decides, in this one place, what a person is told about a state. Instants become Unix time. */
export function statusOf(
  state: State,
  node: string | undefined,
  standby: string | undefined,
  timeOrigin: number,
): Status {
  switch (state.name) {
    case 'online':
    case 'draining':
      return { name: 'online', since: timeOrigin + state.since, node, standby };
    case 'suspect':
      return { name: 'suspect', since: timeOrigin + state.since, attempt: state.outage.attempts };
    case 'seeking': {
      const { dial, first, outage } = state;
      const since = timeOrigin + outage.since;
      if (dial.at === 'offline') return { name: 'offline', since };
      if (dial.at === 'dialling') return { name: 'connecting', first, attempt: outage.attempts, since };
      const cause = (outage.last ?? outage.cause)?.kind ?? 'refused';
      return { name: 'waiting', since, until: timeOrigin + dial.dueAt, attempt: outage.attempts + 1, cause };
    }
    default:
      // The final states are the same to a person as to the machine.
      return state satisfies Status;
  }
}

/** Statuses are flat: they are the same to a person when every field is. */
export const sameStatus = <T extends object>(a: T, b: T): boolean =>
  Object.keys({ ...a, ...b }).every((key) => a[key as keyof T] === b[key as keyof T]);
