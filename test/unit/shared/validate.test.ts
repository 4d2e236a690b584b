import { describe, expect, test } from 'vitest';
import { closestName } from '../../../src/shared/closest-name.ts';
import { badOption, rule, validate, validateFields } from '../../../src/shared/validate.ts';

describe('closestName', () => {
  const names = ['heartbeat', 'hedge', 'probe', 'timeoutMs', 'maxBytes', 'maxMessages'];

  test.each<[wrong: string, meant: string | undefined]>([
    ['hartbeat', 'heartbeat'],
    ['heartbaet', 'heartbeat'],
    ['timeoutMS', 'timeoutMs'],
    ['timeout', 'timeoutMs'],
    ['HEDGE', 'hedge'],
    ['prob', 'probe'],
    // Three edits, or too many for so short a name: nobody can say what was meant.
    ['heart', undefined],
    ['robber', undefined],
    ['max', undefined],
    ['', undefined],
    ['x'.repeat(1_000_000), undefined],
  ])('%.20s', (wrong, meant) => {
    expect(closestName(wrong, names)).toBe(meant);
  });

  test('two that are equally close are no answer', () => {
    expect(closestName('baseMs', ['caseMs', 'bakeMs'])).toBeUndefined();
    expect(closestName('baseMs', ['caseMs', 'baseMS'])).toBe('baseMS');
  });
});

describe('the text of a bad option', () => {
  test('ends after the value, or with advice', () => {
    expect(badOption('a.b', 5, 'a string').message).toBe('a.b: expected a string, got 5.');
    expect(badOption('a.b', 5, 'a string', 'Quote it.').message).toBe(
      'a.b: expected a string, got 5. Quote it.',
    );
  });

  test('names the unit that the name ends in, unless there is better advice', () => {
    expect(badOption('waitMs', 'x', 'a number').message).toMatch(/ Give a number of milliseconds\.$/);
    expect(badOption('maxBytes', 'x', 'a number').message).toMatch(/ Give a number of bytes\.$/);
    expect(badOption('waitMs', 9, 'less', 'Wait less.').message).toBe(
      'waitMs: expected less, got 9. Wait less.',
    );
  });

  test('takes its advice from the rule', () => {
    const isEven = rule(
      'an even number',
      (value) => Number(value) % 2 === 0,
      (value) => `Try ${Number(value) + 1}.`,
    );
    expect(validate('n', 4, isEven)).toBe(4);
    expect(() => validate('n', 5, isEven)).toThrow(
      new RangeError('n: expected an even number, got 5. Try 6.'),
    );
    expect(() => validateFields({ n: 7 }, { n: isEven }, 'it')).toThrow(
      'it.n: expected an even number, got 7. Try 8.',
    );
  });
});
