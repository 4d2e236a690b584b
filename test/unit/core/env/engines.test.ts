import { expect, test } from 'vitest';
import { engineOf } from '../../../../src/core/env/engines.ts';

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

// Each engine has a delay of its own kind after ten failures in a row.
const kinds = { chromium: 156.25, firefox: 15_377.34, other: 0 };

test.each<[keyof typeof kinds, string]>([
  ['chromium', CHROME],
  ['chromium', EDGE],
  ['chromium', CHROME.replace('Chrome/', 'Chromium/')],
  ['firefox', FIREFOX],
  ['other', SAFARI],
  ['other', CHROME_IOS],
  ['other', FIREFOX_IOS],
  ['other', ''],
  ['other', 'node.js/20'],
])('%s is recognised by %j', (name, userAgent) => {
  const engine = engineOf(userAgent);
  expect(engine.addedDelayMs({ failures: 10, opens: 0, failuresInRow: 10, freshPath: false })).toBeCloseTo(
    kinds[name],
    1,
  );
  // Only Firefox leaks abandoned handshakes; it refuses at 6, and gives up a dial itself after 20 s.
  expect([engine.freeAbandons, engine.maxAbandons, engine.openTimeoutMs]).toEqual(
    name === 'firefox' ? [3, 5, 19_000] : [Infinity, Infinity, Infinity],
  );
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
