/** The axis of a timeline, and the flags at the instants that matter. */
import { s } from './dom.js';
import { ms } from './format.js';
import { upMs, totalMs } from './report.js';

/** Widest average of a character in a flag's name (`served` is semi-bold), and the gap between two names, in CSS px. */
const CHARACTER_WIDTH = 6.6;
const NAME_GAP = 10;

export function timelineAxis({ x, end, plotWidth, width }, top, bottom) {
  return ticks(end, plotWidth).map((at) => {
    const anchor = at === 0 ? 'start' : x(at) > width - 20 ? 'end' : 'middle';
    return s(
      'g',
      { class: 'tick' },
      s('line', { x1: x(at), y1: top, x2: x(at), y2: bottom }),
      s('text', { x: x(at), y: bottom + 14, 'text-anchor': anchor }, at === 0 ? '0 ms' : tickText(at)),
    );
  });
}

const tickText = (at) => (at >= 10_000 ? `${at / 1000} s` : String(at));

/** Round steps (1, 2 or 5 times a power of ten), about one per 80 px. */
function ticks(end, px) {
  const rough = end / Math.max(2, px / 80);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, ([1, 2, 5].find((n) => n * power >= rough) ?? 10) * power);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}

/** Vertical lines where the page noticed, was connected, and was served. Their names never overlap. */
export function timelineFlags(report, { x, width }, top, bottom) {
  const flags = [
    { at: report.detectedAfterMs, name: report.cause === 'drain' ? 'announced' : 'noticed' },
    { at: upMs(report), name: 'connected' },
    { at: totalMs(report), name: 'served' },
  ].map((flag) => ({ ...flag, room: flag.name.length * CHARACTER_WIDTH + NAME_GAP }));
  let free = 0;
  return flags.map(({ at, name, room }, i) => {
    // Leave room for the names that follow, so that none leaves the picture on the right.
    const following = flags.slice(i).reduce((sum, flag) => sum + flag.room, 0);
    const left = Math.max(free, Math.min(x(at) - room / 2, width - following));
    free = left + room;
    return s(
      'g',
      { class: `flag ${name}` },
      s('title', {}, `${name} at ${ms(at)}`),
      s('line', { x1: x(at), y1: top - 3, x2: x(at), y2: bottom }),
      s('text', { x: left + room / 2, y: 9, 'text-anchor': 'middle' }, name),
    );
  });
}
