/** A part of what `npm run fuzz` does, each time with the same seed; and proof that it would notice. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { targets } from './all.ts';
import { fuzz, target } from './targets.ts';

const INPUTS = 250;

test.each(targets)('$name', async (of) => {
  const { failure, inputs } = await fuzz(of, INPUTS, 1);
  expect(failure).toBeUndefined();
  expect(inputs).toBeGreaterThanOrEqual(INPUTS);
});

describe('a fault is found, shrunk and told with its seed', () => {
  test('one that is thrown', async () => {
    const odd = target('odd', 1, fc.array(fc.nat()), (list) => {
      if (list.some((n) => n > 1_000)) throw new Error('too large');
    });
    const { failure } = await fuzz(odd, 500, 7);
    expect(failure).toMatch(/seed: \d+/);
    expect(failure).toContain('[[1001]]');
  });

  test('one that nobody hears of', async () => {
    const lost = target('lost', 1, fc.nat(), async () => {
      void Promise.reject(new Error('alone'));
      await new Promise((resolve) => setImmediate(resolve));
    });
    expect((await fuzz(lost, 5, 7)).failure).toContain('nobody heard of Error: alone');
  });
});
