import { describe, expect, test } from 'vitest';
import { FailoverError } from '../../../../src/core/api/errors.ts';
import type { Failure } from '../../../../src/core/api/failure.ts';
import { newOutage, type Outage } from '../../../../src/core/rules/pacing.ts';
import type { Dial, State } from '../../../../src/core/rules/machine.ts';
import { sameStatus, statusOf } from '../../../../src/core/rules/status.ts';
import type { Status } from '../../../../src/core/api/events.ts';

const ORIGIN = 1_000_000;
const lost: Failure = { kind: 'lost', code: 1006, reason: '', wasClean: false };
const refused: Failure = { kind: 'refused', code: 1006, reason: '', wasClean: false };
const outage: Outage = { ...newOutage(500, lost), attempts: 3 };
const dialling: Dial = { at: 'dialling' };
const pacing: Dial = { at: 'pacing', dueAt: 900, decidedAt: 700 };
const offline: Dial = { at: 'offline' };
const error = new FailoverError('exhausted', 'x');
const seeking = { name: 'seeking', first: false, outage } as const;

describe('what a person is told', () => {
  test.each<[string, State, Status]>([
    [
      'the first dial',
      { name: 'seeking', first: true, outage: { ...newOutage(0, undefined), attempts: 1 }, dial: dialling },
      { name: 'connecting', first: true, attempt: 1, since: ORIGIN },
    ],
    [
      'a later dial',
      { ...seeking, dial: dialling },
      { name: 'connecting', first: false, attempt: 3, since: ORIGIN + 500 },
    ],
    [
      'between two dials: for the next one, and why',
      { ...seeking, outage: { ...outage, last: refused }, dial: pacing },
      { name: 'waiting', since: ORIGIN + 500, until: ORIGIN + 900, attempt: 4, cause: 'refused' },
    ],
    [
      'before the first dial of an outage: why it is one',
      { ...seeking, outage: newOutage(500, lost), dial: pacing },
      { name: 'waiting', since: ORIGIN + 500, until: ORIGIN + 900, attempt: 1, cause: 'lost' },
    ],
    ['no network', { ...seeking, dial: offline }, { name: 'offline', since: ORIGIN + 500 }],
    [
      'online',
      { name: 'online', since: 700, outage: undefined },
      { name: 'online', since: ORIGIN + 700, node: 'node-1', standby: 'node-2' },
    ],
    [
      'draining is online to a person',
      { name: 'draining', since: 700, outage, dial: dialling },
      { name: 'online', since: ORIGIN + 700, node: 'node-1', standby: 'node-2' },
    ],
    [
      'suspect',
      { name: 'suspect', since: 700, was: 'proven', outage, dial: dialling },
      { name: 'suspect', since: ORIGIN + 700, attempt: 3 },
    ],
    ['closed', { name: 'closed', code: 4001, reason: 'bye' }, { name: 'closed', code: 4001, reason: 'bye' }],
    ['failed', { name: 'failed', error }, { name: 'failed', error }],
  ])('%s', (_, state, status) => {
    expect(statusOf(state, 'node-1', 'node-2', ORIGIN)).toEqual(status);
  });
});

test.each<[boolean, Status, Status]>([
  [true, { name: 'offline', since: 1 }, { name: 'offline', since: 1 }],
  [false, { name: 'offline', since: 1 }, { name: 'offline', since: 2 }],
  [
    false,
    { name: 'online', since: 1, node: undefined, standby: undefined },
    { name: 'online', since: 1, node: 'a', standby: undefined },
  ],
  [
    false,
    { name: 'online', since: 1, node: 'a', standby: undefined },
    { name: 'online', since: 1, node: 'a', standby: 'b' },
  ],
  [false, { name: 'offline', since: 1 }, { name: 'online', since: 1, node: undefined, standby: undefined }],
  [true, { name: 'failed', error }, { name: 'failed', error }],
  [false, { name: 'failed', error }, { name: 'failed', error: new FailoverError('exhausted', 'x') }],
])('the same to a person (%s): %j, %j', (same, a, b) => {
  expect([sameStatus(a, b), sameStatus(b, a)]).toEqual([same, same]);
});
