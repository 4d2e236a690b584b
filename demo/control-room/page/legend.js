/** The legend of the timelines. It shows only what the visible timelines use. */
import { h, s } from './dom.js';
import { helper, isKept } from './report.js';
import { outcome, TONES } from './words.js';

const NAMES = {
  silence: 'silent',
  kept: 'kept in case it answers',
  serving: 'old link serves',
  wait: 'wait before a dial',
  ...TONES,
  probe: 'probe',
  replay: 'replay',
};

export function timelineLegend(root) {
  const entries = Object.entries(NAMES).map(([look, name]) => [
    look,
    h(
      'li',
      {},
      s('svg', { class: 'swatch', viewBox: '0 0 14 10', 'aria-hidden': 'true' }, swatch(look)),
      name,
    ),
  ]);
  root.append(...entries.map(([, entry]) => entry));
  return {
    update(reports) {
      const used = new Set(reports.flatMap(looksOf));
      root.hidden = reports.length === 0;
      for (const [look, entry] of entries) entry.hidden = !used.has(look);
    },
  };
}

/** What the timeline of a report uses. */
const looksOf = (report) => [
  report.detectedAfterMs >= 1 && 'silence',
  isKept(report) && 'kept',
  helper(report) === 'handover' && 'serving',
  report.attempts.some(({ waitedMs }) => waitedMs >= 1) && 'wait',
  ...report.attempts.map((attempt) => outcome(attempt.outcome, attempt.standby).tone),
  report.probes.length > 0 && 'probe',
  report.replayMs > 0 && 'replay',
];

const swatch = (look) =>
  look === 'wait'
    ? s('line', { x1: 0, y1: 5, x2: 14, y2: 5, class: 'wait' })
    : s('rect', { width: 14, height: 10, rx: 2.5, class: look in TONES ? `bar ${look}` : look });
