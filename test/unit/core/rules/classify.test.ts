import { describe, expect, test } from 'vitest';
import { failure, type FailureKind } from '../../../../src/core/api/failure.ts';
import { classifyClose, closeDetailsOf, FAILURE_TRAITS } from '../../../../src/core/rules/classify.ts';

describe('the end of a socket', () => {
  test.each<[code: number, kind: FailureKind]>([
    [1000, 'closed'],
    [1001, 'drain'],
    [1002, 'closed'],
    [1003, 'closed'],
    [1005, 'closed'],
    [1006, 'lost'],
    [1007, 'closed'],
    [1008, 'closed'],
    [1009, 'closed'],
    [1010, 'closed'],
    [1011, 'lost'],
    [1012, 'drain'],
    [1013, 'overloaded'],
    [1014, 'lost'],
    [1015, 'lost'],
    [3000, 'closed'],
    [4001, 'closed'],
    [4999, 'closed'],
  ])('open, code %i: %s', (code, kind) => {
    expect(classifyClose('open', code, 'why', true)).toEqual({ kind, code, reason: 'why', wasClean: true });
  });

  test.each([1000, 1001, 1006, 1012, 1013, 1015, 4001])(
    'before it was open, code %i says nothing: refused',
    (code) => {
      expect(classifyClose('dialling', code, '')).toEqual({
        kind: 'refused',
        code,
        reason: '',
        wasClean: false,
      });
    },
  );
});

test('failing fast means that somebody answered', () => {
  const every: Record<FailureKind, boolean> = {
    refused: true,
    overloaded: true,
    timeout: false,
    handshake: false,
    provider: false,
    lost: false,
    closed: false,
    drain: false,
    unauthorized: false,
    silent: false,
    suspended: false,
    manual: false,
  };
  const answers = Object.keys(every).map((kind) => [kind, FAILURE_TRAITS[kind as FailureKind].isFast]);
  expect(Object.fromEntries(answers)).toEqual(every);
});

test('what the app sees of a failure: its close frame, or 1006 where there was none', () => {
  expect(closeDetailsOf(classifyClose('open', 4001, 'why', true))).toEqual({
    code: 4001,
    reason: 'why',
    wasClean: true,
  });
  expect(closeDetailsOf(classifyClose('open', 0, '', true))).toEqual({ code: 0, reason: '', wasClean: true });
  expect(closeDetailsOf(failure('silent'))).toEqual({ code: 1006, reason: '', wasClean: false });
});
