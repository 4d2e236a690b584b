import { engineOf } from '../../../src/core/env/engines.ts';
import { failure } from '../../../src/core/api/failure.ts';
import { overdueAfter } from '../../../src/core/rules/liveness.ts';
import { canSpareDial, spendDial } from '../../../src/core/rules/pacing.ts';
import type { ReconnectPolicy } from '../../../src/core/api/reconnect-policy.ts';
import {
  newMachine,
  transition,
  type LinkEvent,
  type Machine,
  type TransitionContext,
} from '../../../src/core/rules/machine.ts';
import type { Failed, NewCrowd } from './crowd.ts';

/**
 * Clients of this library: each is the library's own state machine with its own policy, memory and budget, driven as the link
 * drives it. What is left out is what no herd depends on: sockets, replay, events.
 */
export const ours =
  (policy: Readonly<ReconnectPolicy>, probes = true): NewCrowd =>
  ({ clients, random, rttMs, usualMs, spreadMs, silent }) => {
    const machines: (Machine | undefined)[] = new Array<undefined>(clients).fill(undefined);
    /** Of the dial that is under way, or about to be. */
    const deadlines = new Float64Array(clients);
    const wantsProbe = new Uint8Array(clients);
    const probing = new Uint8Array(clients);

    /** A heartbeat has measured the round trip many times: what is left of its variance is the network's own. */
    const rttOf = (client: number) => ({ smoothed: rttMs(client), variance: rttMs(client) / 10 });

    // One for all, since a run is one thread: a million dials need no million contexts.
    const context = {
      policy,
      // Engines that add no delay of their own are the hardest on a survivor.
      engine: engineOf(''),
      freshPath: true,
      leaks: [],
      rtt: undefined,
      online: true,
      hedge: true,
      standby: false,
      spreadMs,
      now: 0,
      random: 0,
    } satisfies TransitionContext as { -readonly [K in keyof TransitionContext]: TransitionContext[K] };

    /** Returns how long it waits now. */
    const step = (client: number, event: LinkEvent, now: number): number => {
      context.now = now;
      context.random = random();
      context.rtt = rttOf(client);
      const [machine, effects] = transition(machines[client]!, event, context);
      machines[client] = machine;
      let wait = Infinity;
      for (const effect of effects) {
        if (effect.do === 'wait') wait = effect.ms;
        else if (effect.do === 'dial') {
          wait = 0;
          deadlines[client] = effect.deadlineMs;
        } else if (effect.do === 'probe') wantsProbe[client] = 1;
      }
      return wait;
    };

    const isDialling = ({ state }: Machine): boolean => 'dial' in state && state.dial.at === 'dialling';
    const gone = { type: 'lost', failure: failure('lost') } as const;
    const unheard = { type: 'silent', failure: failure('silent'), silentMs: 0 } as const;
    const failures: Record<Failed, LinkEvent> = {
      refused: { type: 'failed', failure: failure('refused') },
      timeout: { type: 'failed', failure: failure('timeout') },
    };

    return {
      lost(client, now) {
        // It was served for long: one dial, long ago, is what it knows about connecting here.
        const longAgo = now - 3_600_000;
        machines[client] = newMachine(policy, longAgo);
        step(client, { type: 'start' }, longAgo);
        step(client, { type: 'opened', proven: true, tookMs: usualMs(client) }, longAgo);
        return step(client, silent ? unheard : gone, now);
      },
      dial(client, now) {
        if (!isDialling(machines[client]!)) step(client, { type: 'due' }, now);
        return deadlines[client]!;
      },
      failed: (client, how, now) => step(client, failures[how], now),
      opened(client, tookMs, now) {
        step(client, { type: 'opened', proven: true, tookMs }, now);
        // Nothing more is asked of it.
        machines[client] = undefined;
      },
      silentFor(client, luck) {
        // The last frame came at some moment of the quiet time before; then the ping goes unanswered.
        return policy.quietMs * luck + overdueAfter(rttOf(client), policy.replyFloorMs, policy.replyCapMs);
      },
      asks(client, now) {
        if (!wantsProbe[client]) return false;
        wantsProbe[client] = 0;
        const machine = machines[client]!;
        // As the link does: one question at a time, and out of the same budget.
        if (!probes || probing[client] || !canSpareDial(policy, machine.memory, now, 4)) return false;
        machines[client] = { ...machine, memory: spendDial(policy, machine.memory, now) };
        probing[client] = 1;
        return true;
      },
      asked(client, verdict, now) {
        probing[client] = 0;
        if (machines[client]) step(client, { type: 'evidence', evidence: { verdict } }, now);
      },
    };
  };
