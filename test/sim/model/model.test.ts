/**
 * The pure machine of a link, explored exhaustively: every event in every state within DEPTH events of the start, in every context
 * of a small world (domain.ts). What must hold is in shell.ts (effects fit what is held, everything done is undone) and explore.ts
 * (no dead end, nothing impossible has an effect, the same twice, inputs untouched). `tsx test/sim/model/main.ts` goes to the end.
 */
import { describe, expect, test } from 'vitest';
import { transition } from '../../../src/core/rules/machine.ts';
import type { Effect, LinkEvent, Machine, TransitionContext } from '../../../src/core/rules/machine.ts';
import { SHAPES, worldOf, type Transition } from './domain.ts';
import { explore } from './explore.ts';

const DEPTH = 3;

test.each(SHAPES)('$userAgent, hedge $hedge, maxAttempts $maxAttempts', (shape) => {
  const { violation, states, steps, taken } = explore(transition, worldOf(shape), DEPTH);
  expect(violation).toBeUndefined();
  // It has been somewhere: 2.5 thousand to 0.7 thousand states, 200 to 50 thousand steps.
  expect(states).toBeGreaterThan(500);
  expect(steps).toBeGreaterThan(20_000);
  for (const name of ['seeking', 'online', 'draining', ...(shape.hedge ? ['suspect'] : [])])
    for (const event of ['hide', 'close', 'end'])
      expect([...taken], `${event} while ${name}`).toContain(`${name} ${event}`);
});

describe('would notice a machine that', () => {
  type Step = readonly [Machine, readonly Effect[]];
  type Fault = (step: Step, machine: Machine, event: LinkEvent, context: TransitionContext) => Step;
  /** The real one, with one fault put in. */
  const faulty =
    (fault: Fault): Transition =>
    (machine, event, context) =>
      fault(transition(machine, event, context), machine, event, context);
  const without =
    (what: Effect['do'], when: (event: LinkEvent, machine: Machine) => boolean = () => true): Fault =>
    ([next, effects], machine, event) => [
      next,
      when(event, machine) ? effects.filter((effect) => effect.do !== what) : effects,
    ];
  const on =
    (type: LinkEvent['type'], fault: Fault): Fault =>
    (step, machine, event, context) =>
      event.type === type ? fault(step, machine, event, context) : step;
  const with_ = (machine: Machine, state: object): Machine => ({
    ...machine,
    state: { ...machine.state, ...state },
  });
  const dialling = ({ state }: Machine) => 'dial' in state && state.dial.at === 'dialling';
  const nowhere = { dial: { at: 'offline' } };
  let calls = 0;

  test.each<[string, Fault, RegExp]>([
    ['forgets the timer', without('wait'), /pacing, timer missing/],
    ['forgets to dial', without('dial'), /dialling, dial missing/],
    [
      'sets a timer that fires at once, or never',
      ([next, effects]) => [next, effects.map((one) => (one.do === 'wait' ? { ...one, ms: NaN } : one))],
      /wait NaN ms/,
    ],
    [
      'keeps the timer when the page awakes',
      without('cancel-dial', ({ type }) => type === 'wake'),
      /offline, timer runs/,
    ],
    [
      'dials twice',
      on('reconnect', ([next, effects], machine, _event, { policy }) =>
        dialling(machine)
          ? [
              next,
              [
                {
                  do: 'dial',
                  attempt: 1,
                  cause: undefined,
                  deadlineMs: policy.capMs,
                  waitedMs: 0,
                  promote: false,
                },
              ],
            ]
          : [next, effects],
      ),
      /a second dial/,
    ],
    [
      'adopts without a dial',
      on('opened', (step, machine) =>
        'dial' in machine.state && !dialling(machine)
          ? [
              with_(machine, { name: 'online' }),
              [{ do: 'adopt', first: false, handover: false, leave: false }],
            ]
          : step,
      ),
      /although it cannot happen/,
    ],
    [
      'drops what it has not',
      on('hide', ([next, effects], _machine, event) => [
        next,
        [...effects, { do: 'drop', failure: (event as Extract<LinkEvent, { type: 'hide' }>).failure }],
      ]),
      /drop without a connection/,
    ],
    ['keeps what is lost', without('drop'), /keeps a connection/],
    [
      'tells of an outage twice',
      on('proven', ([next, effects]) => [next, [...effects, ...effects]]),
      /proven without an outage, or twice/,
    ],
    ['never tells of it', without('proven'), /untold/],
    ['never lets frames out again', without('release'), /held back/],
    [
      'leaves its dial behind when closed',
      without('cancel-dial', ({ type }) => type === 'close'),
      /close leaves a timer or a dial/,
    ],
    [
      'leaves its dial behind when it fails',
      without('cancel-dial', ({ type }) => type === 'end'),
      /fail leaves a timer or a dial/,
    ],
    [
      'leaves its dial behind with the page',
      without('cancel-dial', ({ type }) => type === 'hide'),
      /offline, (timer|dial) runs/,
    ],
    [
      'goes on after the end',
      (step, machine, event) =>
        machine.state.name === 'closed' && event.type === 'wake' ? [machine, [{ do: 'verify' }]] : step,
      /although it cannot happen/,
    ],
    [
      'gives up without a word',
      on('failed', (step, machine) => (dialling(machine) ? [with_(machine, nowhere), []] : step)),
      /dials nothing for no reason/,
    ],
    [
      'sleeps on when the network is back',
      on('wake', (step, machine) => ('dial' in machine.state && !dialling(machine) ? [machine, []] : step)),
      /a dead end/,
    ],
    [
      'throws',
      on('alive', (step, { state }) => {
        if (state.name === 'draining') throw new Error('alive while draining');
        return step;
      }),
      /throws Error: alive while draining/,
    ],
    [
      'writes into what it is given',
      on('lost', (step, machine) => {
        (machine.memory as { tokens: number }).tokens -= 1;
        return step;
      }),
      /throws TypeError/,
    ],
    [
      'depends on something else',
      ([next, effects]) => [
        next,
        effects.map((one) => (one.do === 'wait' ? { ...one, ms: one.ms + (++calls % 2) } : one)),
      ],
      /not the same twice|differ/,
    ],
    [
      'counts what the exploration leaves out',
      ([next, effects], { state }, event) =>
        event.type === 'due' && 'outage' in state && state.outage?.attempts === 2
          ? [with_(next, nowhere), []]
          : [next, effects],
      /differ|dials nothing/,
    ],
  ])('%s', (_, fault, expected) => {
    const found = explore(faulty(fault), worldOf(SHAPES[0]!), DEPTH);
    expect(found.violation).toMatch(expected);
  });
});
