import { FailoverError } from '../api/errors.ts';
import type { Failure, FailureKind } from '../api/failure.ts';
import {
  canSpareDial,
  countFailure,
  learnFailure,
  learnOpen,
  newMemory,
  newOutage,
  nextDeadline,
  nextWait,
  shouldProbe,
  spendDial,
  type Evidence,
  type LinkMemory,
  type Outage,
  type PaceContext,
} from './pacing.ts';
import type { ReconnectPolicy } from '../api/reconnect-policy.ts';

/*
 *              start
 *                │
 *                ▼   opened                     silent
 *          ┌─ seeking ─────────▶ online ───────────────────▶ suspect ─┐
 *  failed, │   ▲  ▲              │  ▲ ▲ ▲                      │ │ ▲  │ failed, due
 *      due └───┘  │      lost    │  │ │ └── alive, opened ─────┘ │ └──┘
 *                 ├──────────────┘  │ └────── opened ──┐         │
 *                 │                 │ drain, reconnect ▼         │
 *                 │    lost         └───────────────▶ draining ──┼── silent ──▶ suspect
 *                 ├────────────────────────────────────┘         │
 *                 └──────────────────────── lost ────────────────┘
 *
 *  hide: any ──▶ seeking.   close: any ──▶ closed.   end (provider, attempts used up): any ──▶ failed.
 *
 *  `seeking` has no connection the app can use; `suspect` and `draining` still have one beside the dial. The dial itself is
 *  the same small machine in all three: pacing ─due─▶ dialling ─failed─▶ pacing, or offline until the network is back.
 *  A warm standby that is promoted takes the place of a dial: it is the one that is open already.
 */

export type Dial =
  | { readonly at: 'pacing'; readonly dueAt: number; readonly decidedAt: number }
  | { readonly at: 'dialling' }
  /** The browser says that there is no network, or the page was left and may come back. */
  | { readonly at: 'offline' };

export type State =
  | { readonly name: 'seeking'; readonly first: boolean; readonly outage: Outage; readonly dial: Dial }
  /** `outage` stays until the server has said something: a node that completes the upgrade and falls silent does not end it. */
  | { readonly name: 'online'; readonly since: number; readonly outage: Outage | undefined }
  /**
   * `was`: what the link was before. If the connection answers, `draining` resumes and the others become `online`. `unproven`:
   * the connection has said nothing since it opened, and its answer ends the outage before it.
   */
  | {
      readonly name: 'suspect';
      readonly since: number;
      readonly was: 'proven' | 'unproven' | 'draining';
      readonly outage: Outage;
      readonly dial: Dial;
    }
  | { readonly name: 'draining'; readonly since: number; readonly outage: Outage; readonly dial: Dial }
  | { readonly name: 'closed'; readonly code: number; readonly reason: string }
  | { readonly name: 'failed'; readonly error: FailoverError };

export interface Machine {
  readonly state: State;
  readonly memory: LinkMemory;
}

export type LinkEvent =
  | { readonly type: 'start' }
  /** The pacing timer fired. */
  | { readonly type: 'due' }
  /**
   * The dialled connection may come into use. `proven`: the server has said something on it, or never needs to.
   * `tookMs`: time from dial to open; undefined for a standby.
   */
  | { readonly type: 'opened'; readonly proven: boolean; readonly tookMs: number | undefined }
  | { readonly type: 'failed'; readonly failure: Failure }
  /** What a probe beside the dials found. */
  | { readonly type: 'evidence'; readonly evidence: Evidence }
  /** The first frame came on a connection in use that was not proven. */
  | { readonly type: 'proven' }
  /** The connection in use ended, or is known to be dead. */
  | { readonly type: 'lost'; readonly failure: Failure }
  /** The connection in use does not answer. */
  | { readonly type: 'silent'; readonly failure: Failure; readonly silentMs: number }
  /** A suspect connection answered after all. */
  | { readonly type: 'alive' }
  | { readonly type: 'drain'; readonly failure: Failure; readonly spreadMs: number }
  /** The network is back, the page is visible or awake again. */
  | { readonly type: 'wake' }
  | { readonly type: 'offline' }
  /** The page is left; it may come back from the back/forward cache. */
  | { readonly type: 'hide'; readonly failure: Failure }
  /** The app's `reconnect()`. */
  | { readonly type: 'reconnect'; readonly failure: Failure }
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'end'; readonly error: FailoverError };

export type Effect =
  | { readonly do: 'wait'; readonly ms: number }
  | {
      readonly do: 'dial';
      readonly attempt: number;
      /** How the dial before failed, or why there is an outage. */
      readonly cause: FailureKind | undefined;
      readonly deadlineMs: number;
      readonly waitedMs: number;
      /** The standby is promoted instead of a dial. */
      readonly promote: boolean;
    }
  /** Give up the dial (pacing timer, provider, socket) and the probe beside it. */
  | { readonly do: 'cancel-dial' }
  /** Use the dialled connection. The one before is closed at once, or (`leave`) when it is not needed any more. */
  | { readonly do: 'adopt'; readonly first: boolean; readonly handover: boolean; readonly leave: boolean }
  /** Detach and close the connection in use. */
  | { readonly do: 'drop'; readonly failure: Failure }
  /** Ask the connection in use for a sign of life now. */
  | { readonly do: 'verify' }
  /** Send on the connection in use again. */
  | { readonly do: 'release'; readonly was: 'proven' | 'unproven' | 'draining' }
  | { readonly do: 'probe' }
  | { readonly do: 'suspect'; readonly silentMs: number }
  /** A replacement is dialled while the connection in use still serves. */
  | { readonly do: 'drain'; readonly failure: Failure; readonly spreadMs: number }
  /** The outage is over: publish its report. */
  | { readonly do: 'proven' }
  | { readonly do: 'close'; readonly code: number; readonly reason: string }
  | { readonly do: 'fail'; readonly error: FailoverError };

export interface TransitionContext extends PaceContext {
  readonly policy: ReconnectPolicy;
  /** The browser's word, except for loopback addresses, which need no network. */
  readonly online: boolean;
  readonly hedge: boolean;
  /** There is a warm standby. */
  readonly standby: boolean;
  /** How widely the node in use asked its clients to spread if it is lost, ms. */
  readonly spreadMs: number;
}

export const newMachine = (policy: ReconnectPolicy, now: number): Machine => ({
  state: {
    name: 'seeking',
    first: true,
    outage: newOutage(now, undefined),
    dial: { at: 'pacing', dueAt: now, decidedAt: now },
  },
  memory: newMemory(policy, now),
});

/** The machine after one dial for something less urgent than an outage; undefined unless the budget holds more than `reserve` dials. */
export const takeSpareDial = (
  machine: Machine,
  policy: ReconnectPolicy,
  now: number,
  reserve: number,
): Machine | undefined =>
  canSpareDial(policy, machine.memory, now, reserve)
    ? { ...machine, memory: spendDial(policy, machine.memory, now) }
    : undefined;

const CANCEL: Effect = { do: 'cancel-dial' };

type Step = readonly [Machine, readonly Effect[]];
type StateWithDial = Extract<State, { dial: Dial }>;

/** The whole behaviour of a link as one pure function: what it becomes, and what must be done. */
export function transition(machine: Machine, event: LinkEvent, context: TransitionContext): Step {
  const { state } = machine;
  if (state.name === 'closed' || state.name === 'failed') return [machine, []];
  switch (event.type) {
    case 'close':
      return [
        { ...machine, state: { name: 'closed', code: event.code, reason: event.reason } },
        [CANCEL, { do: 'close', code: event.code, reason: event.reason }],
      ];
    case 'end':
      return fail(machine, event.error);
    case 'hide': {
      const outage = state.name === 'online' ? newOutage(context.now, event.failure) : state.outage;
      const first = state.name === 'seeking' && state.first;
      return [
        { ...machine, state: { name: 'seeking', first, outage, dial: { at: 'offline' } } },
        state.name === 'seeking' ? [CANCEL] : [{ do: 'drop', failure: event.failure }, CANCEL],
      ];
    }
    default:
      return state.name === 'online'
        ? whileOnline(machine, state, event, context)
        : whileNotOnline(machine, state, event, context);
  }
}

const stay = (machine: Machine): Step => [machine, []];
const fail = (machine: Machine, error: FailoverError): Step => [
  { ...machine, state: { name: 'failed', error } },
  [CANCEL, { do: 'fail', error }],
];

const giveUp = (machine: Machine, { kind }: Failure): Step =>
  fail(
    machine,
    new FailoverError(
      'exhausted',
      `No connection within policy.maxAttempts dials; the last one ended with '${kind}'. The link has ended: make a new one, or leave maxAttempts at Infinity.`,
    ),
  );

function whileOnline(
  machine: Machine,
  state: Extract<State, { name: 'online' }>,
  event: LinkEvent,
  context: TransitionContext,
): Step {
  const { now } = context;
  switch (event.type) {
    case 'proven':
      return state.outage
        ? [{ ...machine, state: { ...state, outage: undefined } }, [{ do: 'proven' }]]
        : stay(machine);
    case 'lost': {
      // An unproven connection that ends belongs to the outage before it, whose attempts go on counting.
      const outage = state.outage
        ? { ...state.outage, last: event.failure }
        : newOutage(now, event.failure, context.spreadMs);
      if (outage.attempts >= context.policy.maxAttempts) return giveUp(machine, event.failure);
      const memory = learnFailure(machine.memory, now);
      return seek(
        { memory, state: { name: 'seeking', first: false, outage, dial: { at: 'offline' } } },
        context,
        [{ do: 'drop', failure: event.failure }],
      );
    }
    case 'silent': {
      if (!context.hedge)
        return whileOnline(machine, state, { type: 'lost', failure: event.failure }, context);
      const outage = state.outage ?? newOutage(now, event.failure, context.spreadMs);
      const was = state.outage ? 'unproven' : 'proven';
      const suspect: State = { name: 'suspect', since: now, was, outage, dial: { at: 'offline' } };
      return seek({ ...machine, state: suspect }, context, [{ do: 'suspect', silentMs: event.silentMs }]);
    }
    case 'drain':
    case 'reconnect': {
      const spread = event.type === 'drain' ? event.spreadMs : 0;
      const outage = newOutage(now, event.failure, spread);
      const draining: Machine = {
        ...machine,
        state: { name: 'draining', since: state.since, outage, dial: { at: 'offline' } },
      };
      const told: Effect = { do: 'drain', failure: event.failure, spreadMs: spread };
      // A listener may have asked for it while the dial of a suspicion that is over waits to be cancelled.
      return (event.type === 'reconnect' ? dial : seek)(draining, context, [CANCEL, told]);
    }
    case 'wake':
      return [machine, [{ do: 'verify' }]];
    default:
      return stay(machine);
  }
}

function whileNotOnline(
  machine: Machine,
  state: StateWithDial,
  event: LinkEvent,
  context: TransitionContext,
): Step {
  const { now } = context;
  const { outage } = state;
  const here = (next: StateWithDial): Machine => ({ ...machine, state: next });
  switch (event.type) {
    case 'start':
    case 'due':
      if (state.dial.at !== 'pacing') return stay(machine);
      return context.online ? dial(machine, context, []) : [here({ ...state, dial: { at: 'offline' } }), []];
    case 'opened': {
      if (state.dial.at !== 'dialling') return stay(machine);
      const adopted: Effect = {
        do: 'adopt',
        first: state.name === 'seeking' && state.first,
        handover: state.name !== 'seeking',
        leave: state.name === 'draining',
      };
      return [
        {
          memory: event.tookMs === undefined ? machine.memory : learnOpen(machine.memory, event.tookMs, now),
          state: { name: 'online', since: now, outage: event.proven ? undefined : outage },
        },
        event.proven ? [adopted, { do: 'proven' }] : [adopted],
      ];
    }
    case 'failed': {
      if (state.dial.at !== 'dialling') return stay(machine);
      const counted = countFailure(outage, event.failure);
      const memory = learnFailure(machine.memory, now);
      if (state.name === 'seeking' && outage.attempts >= context.policy.maxAttempts) {
        return giveUp(machine, event.failure);
      }
      // A probe never delays a dial: it goes out with the next one, or during the wait before it.
      const [next, effects] = seek({ memory, state: { ...state, outage: counted } }, context, []);
      return [next, shouldProbe(counted) ? [...effects, { do: 'probe' }] : effects];
    }
    case 'lost': {
      if (state.name === 'seeking') return stay(machine);
      // The dial under way carries on: it is the only hope now.
      const memory = learnFailure(machine.memory, now);
      return [
        { memory, state: { name: 'seeking', first: false, outage, dial: state.dial } },
        [{ do: 'drop', failure: event.failure }],
      ];
    }
    case 'alive': {
      if (state.name !== 'suspect') return stay(machine);
      const { was } = state;
      // A node that drains goes away all the same, so the dial of its replacement goes on.
      if (was === 'draining') return [here({ ...state, name: 'draining' }), [{ do: 'release', was }]];
      // Released first: what the app sends in an `attempt` listener goes behind what has waited.
      const effects: Effect[] = [{ do: 'release', was }, CANCEL];
      // The engine remembers a handshake that is cancelled while it hangs as a failure.
      const memory = state.dial.at === 'dialling' ? learnFailure(machine.memory, now) : machine.memory;
      return [
        { memory, state: { name: 'online', since: now, outage: undefined } },
        was === 'unproven' ? [...effects, { do: 'proven' }] : effects,
      ];
    }
    case 'silent':
      if (state.name !== 'draining') return stay(machine);
      return [
        here({ ...state, name: 'suspect', since: now, was: 'draining' }),
        [{ do: 'suspect', silentMs: event.silentMs }],
      ];
    case 'offline':
      return state.dial.at === 'pacing' && !context.online
        ? [here({ ...state, dial: { at: 'offline' } }), [CANCEL]]
        : stay(machine);
    case 'wake':
      // The network or the page is back: a new fast lane begins, inside the same budget. Where dials hung, the one under way
      // may hang for long, on a path that is gone.
      return state.dial.at === 'dialling' && !outage.timeouts
        ? stay(machine)
        : seek(
            here({
              ...state,
              outage: { ...outage, fastLaneStart: outage.attempts, timeouts: 0, evidence: undefined },
            }),
            { ...context, random: 0 },
            [CANCEL],
          );
    case 'evidence':
      return [here({ ...state, outage: { ...outage, evidence: event.evidence } }), []];
    case 'reconnect':
      return state.dial.at === 'dialling' && !outage.timeouts
        ? stay(machine)
        : dial(machine, context, [CANCEL]);
    default:
      return stay(machine);
  }
}

/** Decides when the next dial goes out. */
function seek(machine: Machine, context: TransitionContext, before: readonly Effect[]): Step {
  const state = machine.state as StateWithDial;
  if (!context.online) return [{ ...machine, state: { ...state, dial: { at: 'offline' } } }, before];
  // A standby costs the survivor no handshake, so only a crowd that was told to spread waits.
  const ms = context.standby
    ? context.random * state.outage.announcedSpreadMs
    : nextWait(context.policy, state.outage, machine.memory, context);
  if (ms <= 0) return dial(machine, context, before);
  const { now } = context;
  return [
    { ...machine, state: { ...state, dial: { at: 'pacing', dueAt: now + ms, decidedAt: now } } },
    [...before, { do: 'wait', ms }],
  ];
}

function dial(machine: Machine, context: TransitionContext, before: readonly Effect[]): Step {
  const state = machine.state as StateWithDial;
  const { now, policy, standby } = context;
  const deadlineMs = nextDeadline(policy, state.outage, machine.memory, context);
  const outage = { ...state.outage, attempts: state.outage.attempts + 1 };
  const cause =
    state.name === 'seeking' && outage.evidence?.verdict === 'unauthorized'
      ? 'unauthorized'
      : (outage.last ?? outage.cause)?.kind;
  const waitedMs = state.dial.at === 'pacing' ? now - state.dial.decidedAt : 0;
  return [
    {
      memory: standby ? machine.memory : spendDial(policy, machine.memory, now),
      state: { ...state, outage, dial: { at: 'dialling' } },
    },
    [...before, { do: 'dial', attempt: outage.attempts, cause, deadlineMs, waitedMs, promote: standby }],
  ];
}
