import { transition as real, type LinkEvent, type State } from '../../src/core/rules/machine.ts';

export * from '../../src/core/rules/machine.ts';

/** Names of what was seen: `<state> <event>`, and kinds of failure. */
export const seen = new Map<string, number>();

const note = (name: string): void => void seen.set(name, (seen.get(name) ?? 0) + 1);

/** A state as far as its transitions tell it apart. */
export const stateName = (state: State): string => {
  if (state.name === 'online') return state.outage ? 'online unproven' : 'online';
  return 'dial' in state ? `${state.name} ${state.dial.at}` : state.name;
};

/** As in the library, and taken note of. */
export const transition: typeof real = (machine, event, context) => {
  note(`${stateName(machine.state)}: ${event.type}`);
  const kind = kindOf(event);
  if (kind) note(`failure ${kind}`);
  return real(machine, event, context);
};

const kindOf = (event: LinkEvent): string | undefined =>
  'failure' in event ? event.failure.kind : undefined;
