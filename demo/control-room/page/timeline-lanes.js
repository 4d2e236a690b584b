/** The lanes of a timeline: the old link, the attempts, the probes, and the replay. */
import { s } from './dom.js';
import { ms } from './format.js';
import { helper, isKept, upMs, totalMs } from './report.js';
import { outcome, probeText } from './words.js';

const BAR_HEIGHT = 14;
/** A thinner bar could not be seen or pointed at. */
const MIN_BAR_WIDTH = 3;

/**
 * @param scale where an instant lies in the picture
 * @returns lanes as `{ name, marks }`; each mark is drawn around the vertical middle of its lane
 */
export function timelineLanes(report, scale) {
  const oldLink = oldLinkMarks(report, scale);
  return [
    oldLink.length > 0 && { name: 'Old link', marks: oldLink },
    {
      name: 'Attempts',
      marks: report.attempts.flatMap((attempt, i) => attemptMarks(attempt, i + 1, scale)),
    },
    report.probes.length > 0 && {
      name: 'Probes',
      marks: report.probes.map((probe) => probeMark(probe, scale)),
    },
    { name: 'Replay', marks: replayMarks(report, scale) },
  ].filter(Boolean);
}

function oldLinkMarks(report, scale) {
  const { detectedAfterMs, upAfterMs } = report;
  if (helper(report) === 'handover') {
    const title = 'The old link serves until the replacement has replayed everything';
    return [bar(scale, { from: 0, duration: totalMs(report), look: 'serving', title })];
  }
  // A link that ended at once was never silent.
  const silence = detectedAfterMs >= 1 && {
    from: 0,
    duration: detectedAfterMs,
    look: 'silence',
    title: `Silent for ${ms(detectedAfterMs)} before the page noticed`,
  };
  const kept = isKept(report) && {
    from: detectedAfterMs,
    duration: upAfterMs,
    look: 'kept',
    title: 'Kept in case it answers after all',
  };
  return [silence, kept].filter(Boolean).map((mark) => bar(scale, mark));
}

function attemptMarks(attempt, number, scale) {
  const { durationMs, waitedMs, standby } = attempt;
  const { tone, label } = outcome(attempt.outcome, standby);
  const from = scale.since(attempt.startedAt);
  const wait = (middle) =>
    s('line', { x1: scale.x(from - waitedMs), y1: middle, x2: scale.x(from), y2: middle, class: 'wait' });
  const title =
    `Attempt ${number}: ${label} after ${ms(durationMs)}. ` +
    `Waited ${ms(waitedMs)} before it: pacing, spread, or another tab's turn`;
  const text = standby ? 'S' : String(number);
  return [wait, bar(scale, { from, duration: durationMs, look: `bar ${tone}`, title, text })];
}

function probeMark(probe, scale) {
  const { startedAt, durationMs, status } = probe;
  const title = `Probe, after ${ms(durationMs)}: ${probeText(probe)}`;
  const from = scale.since(startedAt);
  return bar(scale, { from, duration: durationMs, look: 'probe', title, text: status });
}

function replayMarks(report, scale) {
  const { replayMs } = report;
  if (replayMs <= 0) return [];
  const title = `Replayed within ${ms(replayMs)}`;
  return [bar(scale, { from: upMs(report), duration: replayMs, look: 'replay', title })];
}

/** A bar with a tooltip, and with text where it is wide enough. */
function bar(scale, { from, duration, look, title, text }) {
  const left = scale.x(from);
  const width = Math.max(MIN_BAR_WIDTH, scale.x(from + duration) - left);
  const fits = text !== undefined && width > String(text).length * 7 + 6;
  return (middle) =>
    s(
      'g',
      {},
      s('title', {}, title),
      s('rect', {
        x: left,
        y: middle - BAR_HEIGHT / 2,
        width,
        height: BAR_HEIGHT,
        rx: Math.min(3, width / 2),
        class: look,
      }),
      fits ? barText(left + width / 2, middle, text, look === 'probe' ? 'in-probe' : 'in-bar') : undefined,
    );
}

const barText = (x, middle, text, look) =>
  s('text', { x, y: middle + 3.5, class: look, 'text-anchor': 'middle' }, text);
