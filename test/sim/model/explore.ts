/**
 * Visits every state that `transition` can get into, breadth first, and tries every event in every context there: those that can
 * happen, whose effects must fit what the shell holds, and those that cannot, which must change nothing. The space is that of
 * `canonical` machines, and finite; that a machine and its representative behave alike is checked for every sixteenth.
 */
import type { Effect, LinkEvent, Machine, TransitionContext } from '../../../src/core/rules/machine.ts';
import { newMachine } from '../../../src/core/rules/machine.ts';
import { canonical, EVENTS, keyOf, later, type Transition, type World } from './domain.ts';
import { disagreement, newShell, perform, possible, type Shell } from './shell.ts';

export interface Explored {
  readonly states: number;
  /** Events tried in them. */
  readonly steps: number;
  /** Steps from the start to the farthest state that was found. */
  readonly depth: number;
  /** What was found, with the shortest way to it; the search ends with the first. */
  readonly violation: string | undefined;
  /** `<state> <event>` that changed something, for coverage. */
  readonly taken: ReadonlySet<string>;
}

interface Node {
  readonly machine: Machine;
  readonly shell: Shell;
  readonly depth: number;
  readonly parent: Node | undefined;
  /** What led here from there; undefined: time passed. */
  readonly by: readonly [LinkEvent, TransitionContext] | undefined;
  /** With a machine that it stands for. */
  compared: boolean;
}

/** From any state a world in which all is well again has the link online within so many steps. */
const RECOVERY_STEPS = 6;
/** So many states apart one is compared with a machine that it stands for. */
const COMPARED = 16;
/** So many steps apart one is taken twice. */
const REPEATED = 7;

class Violation extends Error {}
const violation = (what: string): never => {
  throw new Violation(what);
};

const freeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) freeze(item);
  }
  return value;
};

const textOf = (event: LinkEvent): string => {
  const { type, ...rest } = event;
  const what = 'failure' in rest ? rest.failure.kind : 'evidence' in rest ? rest.evidence.verdict : undefined;
  const proven = 'tookMs' in rest ? (rest.proven ? 'proven' : 'mute') : undefined;
  return [type, what, proven].filter(Boolean).join(' ');
};
const textOfContext = ({ online, standby, random, leaks, spreadMs }: TransitionContext): string =>
  [
    !online && 'offline',
    standby && 'standby',
    leaks.length > 0 && 'leaks',
    spreadMs && 'spread',
    `random ${random}`,
  ]
    .filter(Boolean)
    .join(', ');

const textOfStep = (by: Node['by']): string =>
  by ? `${textOf(by[0])} (${textOfContext(by[1])})` : 'a second passes';

/** What effects say, but for what depends on how the dials of the outage were counted. */
const shapeOf = (effects: readonly Effect[]): string =>
  effects
    .filter((effect) => effect.do !== 'probe')
    .map((effect) => {
      const { do: what } = effect;
      return what === 'wait'
        ? effect.ms
        : what === 'dial'
          ? `dial ${effect.promote}`
          : JSON.stringify(effect);
    })
    .join();

/** @param maxDepth states farther from the start are not visited */
export function explore(transition: Transition, world: World, maxDepth = Infinity): Explored {
  const nodes = new Map<string, Node>();
  const taken = new Set<string>();
  let frontier: Node[] = [];
  let steps = 0;
  let depth = 0;
  freeze(world);

  const visit = (raw: Machine, shell: Shell, parent: Node | undefined, by: Node['by']): void => {
    const machine = canonical(raw, world.policy);
    const { timer, started, dialling, current, suspect, story, pause, over } = shell;
    const holds = [timer, started, dialling, current, suspect, story].map(Number).join('');
    const key = `${keyOf(machine)} ${holds} ${pause} ${over}`;
    let node = nodes.get(key);
    if (!node) {
      const at = parent ? parent.depth + 1 : 0;
      node = { machine: freeze(machine), shell, depth: at, parent, by, compared: false };
      nodes.set(key, node);
      frontier.push(node);
      depth = Math.max(depth, at);
    }
    if (nodes.size % COMPARED === 0 && !node.compared && !shell.over) {
      node.compared = true;
      compare(raw, machine);
    }
  };

  const behaviour = (machine: Machine, effects: readonly Effect[]): string =>
    `${keyOf(canonical(machine, world.policy))}: ${shapeOf(effects)}`;

  /** Do they behave alike? */
  const compare = (raw: Machine, machine: Machine): void => {
    for (const event of EVENTS)
      for (const context of world.contexts) {
        const [a, did] = transition(raw, event, context);
        const [b, would] = transition(machine, event, context);
        if (behaviour(a, did) !== behaviour(b, would))
          violation(`${textOf(event)}: a machine and its representative differ`);
      }
  };

  const step = (machine: Machine, event: LinkEvent, context: TransitionContext) => {
    steps += 1;
    const [next, effects] = transition(machine, event, context);
    // What was tried before, once more: whatever it depends on is in its arguments.
    if (steps % REPEATED === 0) {
      const [again, repeated] = transition(machine, event, context);
      if (behaviour(again, repeated) !== behaviour(next, effects)) violation('not the same twice');
    }
    return [next, effects] as const;
  };

  const tryOut = (node: Node, event: LinkEvent, context: TransitionContext): void => {
    const { machine, shell } = node;
    const [next, effects] = step(machine, event, context);
    if (shell.over || !possible(shell, event, machine.state)) {
      // `start` and the timer's end are one and the same to the machine; the shell says each only when it is its time.
      const same = event.type === 'start' || (event.type === 'due' && !shell.started);
      if (!same && (next !== machine || effects.length))
        violation('changes something, although it cannot happen');
      return;
    }
    const [now, wrong] = perform(shell, event, effects, context.online);
    wrong.push(...disagreement(now, next.state));
    if (wrong.length) violation(wrong.join('; '));
    if (next === machine && !effects.length && now.timer === shell.timer && now.pause === shell.pause) return;
    taken.add(`${machine.state.name} ${event.type}`);
    visit(next, now, node, [event, context]);
  };

  /** All is well from here on: is it online soon? */
  const recover = (node: Node, standby: boolean, random: number): void => {
    const context = world.contexts.find(
      (one) => one.online && one.standby === standby && one.random === random && !one.leaks.length,
    )!;
    let { machine, shell } = node;
    const way: string[] = [];
    for (let i = 0; i < RECOVERY_STEPS; i++) {
      const { state } = machine;
      if (state.name === 'online' && !state.outage) return;
      if (state.name === 'closed' || state.name === 'failed') break;
      const event: LinkEvent =
        state.name === 'online'
          ? { type: 'proven' }
          : shell.dialling
            ? { type: 'opened', proven: true, tookMs: 100 }
            : !shell.started
              ? { type: 'start' }
              : shell.timer
                ? { type: 'due' }
                : { type: 'wake' };
      way.push(event.type);
      const [next, effects] = step(machine, event, context);
      [shell] = perform(shell, event, effects, true);
      machine = next;
    }
    violation(`a dead end: still ${machine.state.name} after ${way.join(', ')}`);
  };

  const told = (node: Node, what: string): string => {
    const way: string[] = [];
    for (let at: Node | undefined = node; at?.parent; at = at.parent) way.unshift(textOfStep(at.by));
    return `${world.name}: ${['start of all', ...way, what].join(' → ')}`;
  };

  let at: Node | undefined;
  let trying: Node['by'] | 'a second passes' | 'all is well';
  try {
    visit(newMachine(world.policy, 0), newShell, undefined, undefined);
    while (frontier.length && depth <= maxDepth) {
      const layer = frontier;
      frontier = [];
      for (at of layer) {
        trying = 'a second passes';
        if (!at.shell.over) visit(later(at.machine), at.shell, at, undefined);
        for (const event of EVENTS) {
          const asks =
            (event.type === 'lost' || event.type === 'silent') && at.machine.state.name === 'online';
          for (const context of asks ? [...world.contexts, ...world.spreads] : world.contexts) {
            trying = [event, context];
            tryOut(at, event, context);
          }
        }
        if (at.shell.over) continue;
        for (const standby of [false, true])
          for (const random of [0, 1]) {
            trying = 'all is well';
            recover(at, standby, random);
          }
      }
    }
  } catch (error) {
    const what = error instanceof Violation ? error.message : `throws ${String(error)}`;
    const found = told(at!, `${typeof trying === 'string' ? trying : textOfStep(trying)}: ${what}`);
    return { states: nodes.size, steps, depth, violation: found, taken };
  }
  return { states: nodes.size, steps, depth, violation: undefined, taken };
}
