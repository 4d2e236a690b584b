/**
 * What the shell (link.ts) holds while it runs the machine's effects, as far as the machine must not lose sight of it: a timer, a
 * dial, a current connection, a story that is to be told. Each effect that does not fit is a violation.
 */
import type { Effect, LinkEvent, State } from '../../../src/core/rules/machine.ts';

export interface Shell {
  /** The pacing timer is running; before `start` that is what is waited for. */
  readonly timer: boolean;
  readonly started: boolean;
  /** A socket is under way, or a standby is being promoted. */
  readonly dialling: boolean;
  /** There is a connection that the app uses. */
  readonly current: boolean;
  /** The app was told that it is suspect, and holds its frames back. */
  readonly suspect: boolean;
  /** Something began (or nothing was ever up) that is to end with exactly one `proven`, or be taken back. */
  readonly story: boolean;
  /** Why nothing is dialled, if so. */
  readonly pause: 'no network' | 'page left' | undefined;
  readonly over: 'closed' | 'failed' | undefined;
}

export const newShell: Shell = {
  ...{ timer: true, started: false, dialling: false, current: false, suspect: false, story: true },
  ...{ pause: undefined, over: undefined },
};

/** Can this happen in the world outside? */
export function possible(shell: Shell, event: LinkEvent, state: State): boolean {
  switch (event.type) {
    case 'start':
      return !shell.started;
    case 'due':
      return shell.timer && shell.started;
    case 'opened':
    case 'failed':
      return shell.dialling;
    case 'proven':
      return shell.current && state.name === 'online' && shell.story;
    case 'lost':
    case 'silent':
    case 'drain':
      return shell.current;
    case 'alive':
      return shell.suspect;
    default:
      return true;
  }
}

const sound = (ms: number): boolean => Number.isFinite(ms) && ms >= 0;

/** Runs the effects of one step. @returns what is held then, and what did not fit */
export function perform(
  shell: Shell,
  event: LinkEvent,
  effects: readonly Effect[],
  online: boolean,
): [Shell, string[]] {
  const wrong: string[] = [];
  const must = (holds: boolean, what: string) => void (holds || wrong.push(what));
  // What has happened is over: the timer has fired, the dial has ended.
  let now: Shell = {
    ...shell,
    started: shell.started || event.type === 'start',
    timer: shell.timer && event.type !== 'start' && event.type !== 'due',
    dialling: shell.dialling && event.type !== 'failed',
    pause: event.type === 'hide' ? 'page left' : online ? shell.pause : 'no network',
  };
  const set = (change: Partial<Shell>) => (now = { ...now, ...change });
  let proven = 0;
  for (const effect of effects) {
    must(!now.over, `${effect.do} after the end`);
    switch (effect.do) {
      case 'wait':
        must(!now.timer, 'a second timer');
        must(!now.dialling, 'a timer beside a dial');
        must(sound(effect.ms) && effect.ms > 0, `wait ${effect.ms} ms`);
        set({ timer: true, pause: undefined });
        break;
      case 'dial':
        must(!now.dialling, 'a second dial');
        must(!now.timer, 'a dial beside a timer');
        must(sound(effect.deadlineMs) && effect.deadlineMs > 0, `deadline ${effect.deadlineMs} ms`);
        must(sound(effect.waitedMs), `waited ${effect.waitedMs} ms`);
        must(effect.attempt >= 1, `attempt ${effect.attempt}`);
        set({ dialling: true, pause: undefined });
        break;
      case 'cancel-dial':
        set({ timer: false, dialling: false });
        break;
      case 'adopt':
        must(now.dialling, 'adopt without a dial');
        must(effect.handover === now.current, 'a handover is one if there is a connection');
        must(!effect.leave || now.current, 'leave without a connection');
        set({ dialling: false, current: true, suspect: false });
        break;
      case 'drop':
        must(now.current, 'drop without a connection');
        set({ current: false, suspect: false, story: true });
        break;
      case 'suspect':
        must(now.current && !now.suspect, 'suspect without a connection, or twice');
        must(sound(effect.silentMs), `silent ${effect.silentMs} ms`);
        set({ suspect: true, story: true });
        break;
      case 'release':
        must(now.suspect, 'release of what was not suspect');
        set({ suspect: false, ...(effect.was === 'proven' && { story: false }) });
        break;
      case 'drain':
        must(now.current, 'drain without a connection');
        must(sound(effect.spreadMs), `spread ${effect.spreadMs} ms`);
        set({ story: true });
        break;
      case 'verify':
        must(now.current, 'verify without a connection');
        break;
      case 'proven':
        must(now.current && now.story && ++proven === 1, 'proven without an outage, or twice');
        set({ story: false });
        break;
      case 'probe':
        must(event.type === 'failed', 'a probe without a failed dial');
        break;
      case 'close':
      case 'fail':
        must(!now.timer && !now.dialling, `${effect.do} leaves a timer or a dial`);
        set({ over: effect.do === 'close' ? 'closed' : 'failed', current: false, suspect: false });
        break;
    }
  }
  return [now, wrong];
}

/** What is held must be what the state says. @returns what is not so */
export function disagreement(shell: Shell, state: State): string[] {
  const wrong: string[] = [];
  const must = (holds: boolean, what: string) => void (holds || wrong.push(`${state.name}: ${what}`));
  if (state.name === 'closed' || state.name === 'failed') {
    must(shell.over === state.name, 'nobody was told of the end');
    return wrong;
  }
  must(!shell.over, 'goes on after the end');
  must(
    shell.current === (state.name !== 'seeking'),
    shell.current ? 'keeps a connection' : 'has no connection',
  );
  must(shell.suspect === (state.name === 'suspect'), 'frames are held back if and only if it is suspect');
  if (state.name === 'online') {
    must(!shell.timer && !shell.dialling, 'a timer or dial is left over');
    must(shell.story === !!state.outage, 'a story is untold if and only if it is unproven');
    return wrong;
  }
  must(shell.story, 'nothing is to be told of this outage');
  const { at } = state.dial;
  must(shell.timer === (at === 'pacing'), `${at}, timer ${shell.timer ? 'runs' : 'missing'}`);
  must(shell.dialling === (at === 'dialling'), `${at}, dial ${shell.dialling ? 'runs' : 'missing'}`);
  must(at !== 'offline' || !!shell.pause, 'dials nothing for no reason');
  return wrong;
}
