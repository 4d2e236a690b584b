/**
 * A failover as a picture: silence, attempts with their waits, probes, replay, over an axis in milliseconds that starts at
 * the last sign of life of the old connection.
 */
import { s } from './dom.js';
import { helper, ms, outcome, probeText, totalMs } from './words.js';

const LANE = 22;
const BAR = 14;
const AXIS = 20;
const TOP = 16;
/** A bar thinner than this could not be seen or pointed at. */
const MIN_BAR = 3;

/**
 * @param report a FailoverReport
 * @param width in CSS px
 */
export function drawTimeline(report, width) {
  const label = width < 420 ? 62 : 74;
  const right = 12;
  const origin = report.startedAt - report.detectedAfterMs;
  const up = report.detectedAfterMs + report.upAfterMs;
  const served = totalMs(report);
  const attempts = report.attempts.map((attempt) => ({ ...attempt, from: attempt.startedAt - origin }));
  const probes = report.probes.map((probe) => ({ ...probe, from: probe.startedAt - origin }));
  // A probe may go on long after the page is served again: it is cut off there.
  const end = Math.max(1, served, ...attempts.map(({ from, durationMs }) => from + durationMs));
  const x = (at) => label + (Math.min(end, Math.max(0, at)) / end) * (width - label - right);

  const lanes = [
    // A link that ended at once has nothing to show.
    (report.detectedAfterMs >= 1 || helper(report) === 'handover') && { name: 'Old link', marks: oldLink },
    {
      name: 'Attempts',
      marks: () => attempts.flatMap((attempt, i) => attemptMarks(attempt, i + 1)),
    },
    probes.length > 0 && {
      name: 'Probes',
      marks: () =>
        probes.map((probe) =>
          bar(
            probe.from,
            probe.durationMs,
            'probe',
            `Probe, after ${ms(probe.durationMs)}: ${probeText(probe)}`,
            probe.status,
          ),
        ),
    },
    {
      name: 'Replay',
      marks: () =>
        report.replayMs > 0
          ? [bar(up, report.replayMs, 'replay', `Replayed within ${ms(report.replayMs)}`)]
          : [],
    },
  ].filter(Boolean);

  const bottom = TOP + lanes.length * LANE;
  const height = bottom + AXIS;
  let laneTop = TOP;

  function bar(from, duration, look, title, text) {
    const left = x(from);
    const wide = Math.max(MIN_BAR, x(from + duration) - left);
    return s(
      'g',
      {},
      s('title', {}, title),
      s('rect', {
        x: left,
        y: laneTop + (LANE - BAR) / 2,
        width: wide,
        height: BAR,
        rx: Math.min(3, wide / 2),
        class: look,
      }),
      text !== undefined && wide > String(text).length * 7 + 6
        ? s(
            'text',
            {
              x: left + wide / 2,
              y: laneTop + LANE / 2 + 3.5,
              class: look === 'probe' ? 'in-probe' : 'in-bar',
              'text-anchor': 'middle',
            },
            text,
          )
        : undefined,
    );
  }

  function oldLink() {
    const by = helper(report);
    const silent = bar(
      0,
      report.detectedAfterMs,
      'silence',
      `Silent for ${ms(report.detectedAfterMs)} before it was noticed`,
    );
    if (by === 'handover') return [bar(0, served, 'serving', 'Serves until the replacement is replayed')];
    const kept = report.cause === 'silent' && report.gapMs === 0;
    return [
      report.detectedAfterMs >= 1 && silent,
      kept && bar(report.detectedAfterMs, report.upAfterMs, 'kept', 'Kept in case it answers after all'),
    ].filter(Boolean);
  }

  function attemptMarks(attempt, number) {
    const { tone, label: words } = outcome(attempt.outcome, attempt.standby);
    const title = `Attempt ${number}: ${words} after ${ms(attempt.durationMs)}; before it ${ms(attempt.waitedMs)} of pacing, spread, or waiting for another tab`;
    const middle = laneTop + LANE / 2;
    const wait = s('line', {
      x1: x(attempt.from - attempt.waitedMs),
      y1: middle,
      x2: x(attempt.from),
      y2: middle,
      class: 'wait',
    });
    return [
      wait,
      bar(attempt.from, attempt.durationMs, `bar ${tone}`, title, attempt.standby ? 'S' : String(number)),
    ];
  }

  const content = lanes.flatMap(({ name, marks }) => {
    const row = [
      s('line', { x1: label, y1: laneTop + LANE, x2: width - right, y2: laneTop + LANE, class: 'lane' }),
      s('text', { x: 0, y: laneTop + LANE / 2 + 4, class: 'lane-name' }, name),
      ...marks(),
    ];
    laneTop += LANE;
    return row;
  });

  const text = `From ${report.fromNode || 'an unknown node'} to ${report.toNode || 'an unknown node'}: noticed after ${ms(
    report.detectedAfterMs,
  )}, ${report.attempts.length} attempts, up after ${ms(up)}, served after ${ms(served)}.`;

  return s(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': text },
    ...ticks(end, width - label - right).map((at) =>
      s(
        'g',
        { class: 'tick' },
        s('line', { x1: x(at), y1: TOP, x2: x(at), y2: bottom }),
        s(
          'text',
          {
            x: x(at),
            y: bottom + 14,
            'text-anchor': at === 0 ? 'start' : x(at) > width - 20 ? 'end' : 'middle',
          },
          at === 0 ? '0 ms' : tickText(at),
        ),
      ),
    ),
    ...content,
    ...flags(),
  );

  /** Vertical marks for the instants that matter, their names kept apart. */
  function flags() {
    const marks = [
      { at: report.detectedAfterMs, name: report.cause === 'drain' ? 'told' : 'noticed' },
      { at: up, name: 'up' },
      { at: served, name: 'served' },
    ];
    let free = 0;
    return marks.map(({ at, name }, i) => {
      const room = name.length * 6.2 + 8;
      // Right-aligned from the right edge inwards, so that no name leaves the picture.
      const after = marks.slice(i).reduce((sum, mark) => sum + mark.name.length * 6.2 + 8, 0);
      const left = Math.max(free, Math.min(x(at) - room / 2, width - after));
      free = left + room;
      return s(
        'g',
        { class: `flag ${name}` },
        s('title', {}, `${name} at ${ms(at)}`),
        s('line', { x1: x(at), y1: TOP - 3, x2: x(at), y2: bottom }),
        s('text', { x: left + room / 2, y: 9, 'text-anchor': 'middle' }, name),
      );
    });
  }
}

const tickText = (at) => (at >= 10_000 ? `${at / 1000} s` : String(at));

/** Round steps (1, 2, 5 times a power of ten), about one per 80 px. */
function ticks(end, px) {
  const rough = end / Math.max(2, px / 80);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, ([1, 2, 5].find((n) => n * power >= rough) ?? 10) * power);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}
