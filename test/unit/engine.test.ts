import { expect, test } from 'vitest';
import { engineOf } from '../../src/core/engine.ts';

const CHROME =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';
const EDGE = `${CHROME} Edg/156.0.0.0`;
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
const SAFARI =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15';
// On iOS every browser is WebKit, whatever it calls itself.
const CHROME_IOS =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/156.0 Mobile/15E148 Safari/604.1';
const FIREFOX_IOS =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/153.0 Mobile/15E148 Safari/604.1';

test.each([
  ['chromium', CHROME, Infinity],
  ['chromium', EDGE, Infinity],
  ['chromium', CHROME.replace('Chrome/', 'Chromium/'), Infinity],
  ['firefox', FIREFOX, 3],
  ['webkit', SAFARI, Infinity],
  ['webkit', CHROME_IOS, Infinity],
  ['webkit', FIREFOX_IOS, Infinity],
  ['other', '', Infinity],
  ['other', 'node.js/20', Infinity],
])('%s is recognised by %j', (name, userAgent, freeAbandons) => {
  expect(engineOf(userAgent)).toMatchObject({ name, freeAbandons });
});

const history = { failures: 0, opens: 0, failuresInRow: 0, freshPath: false };

test.each([
  // 5000 · 2^(1 + ⌊f / (s + 1)⌋) / 65536, at most the whole 5000
  [{ ...history }, 0.15],
  [{ ...history, failures: 8 }, 39.06],
  [{ ...history, failures: 12 }, 625],
  [{ ...history, failures: 15 }, 5_000],
  [{ ...history, failures: 300 }, 5_000],
  [{ ...history, failures: 12, opens: 1 }, 9.77],
  // Chromium's penalty knows no paths.
  [{ ...history, failures: 12, freshPath: true }, 625],
])('Chromium adds at most, after %j: %d ms', (after, expected) => {
  expect(engineOf(CHROME).addedDelayMs(after)).toBeCloseTo(expected, 1);
});

test.each([
  [{ ...history }, 0],
  [{ ...history, failuresInRow: 1 }, 400],
  [{ ...history, failuresInRow: 2 }, 600],
  [{ ...history, failuresInRow: 3 }, 900],
  [{ ...history, failuresInRow: 99 }, 60_000],
  [{ ...history, failuresInRow: 99, freshPath: true }, 0],
])('Firefox adds at most, after %j: %d ms', (after, expected) => {
  expect(engineOf(FIREFOX).addedDelayMs(after)).toBe(expected);
});

test('WebKit adds nothing', () => {
  expect(engineOf(SAFARI).addedDelayMs({ ...history, failures: 300, failuresInRow: 300 })).toBe(0);
});
