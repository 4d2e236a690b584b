/**
 * A failover as a picture: silence, attempts and the waits before them, probes, and replay, over an axis in milliseconds. The
 * axis starts at the last sign of life of the old connection.
 */
import { s } from './dom.js';
import { ms } from './format.js';
import { upMs, totalMs } from './report.js';
import { timelineAxis, timelineFlags } from './timeline-axis.js';
import { timelineLanes } from './timeline-lanes.js';

const LANE_HEIGHT = 22;
const AXIS_HEIGHT = 20;
/** Room for the names of the flags. */
const TOP = 16;
const RIGHT_MARGIN = 12;

/**
 * @param report a report of `readReport`
 * @param width in CSS px
 */
export function drawTimeline(report, width) {
  const scale = timeScale(report, width);
  const lanes = timelineLanes(report, scale);
  const bottom = TOP + lanes.length * LANE_HEIGHT;
  const height = bottom + AXIS_HEIGHT;
  return s(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': description(report) },
    ...timelineAxis(scale, TOP, bottom),
    ...lanes.map((lane, i) => drawLane(lane, TOP + i * LANE_HEIGHT, scale)),
    ...timelineFlags(report, scale, TOP, bottom),
  );
}

/** Where an instant lies in the picture. Times are in ms since the last sign of life. */
function timeScale(report, width) {
  const left = width < 420 ? 62 : 74;
  const plotWidth = width - left - RIGHT_MARGIN;
  const origin = report.startedAt - report.detectedAfterMs;
  const since = (instant) => instant - origin;
  const attemptEnds = report.attempts.map(({ startedAt, durationMs }) => since(startedAt) + durationMs);
  // A probe may last long after the page is served again. The picture cuts it off.
  const end = Math.max(1, totalMs(report), ...attemptEnds);
  return {
    left,
    width,
    right: width - RIGHT_MARGIN,
    plotWidth,
    end,
    since,
    x: (at) => left + (Math.min(end, Math.max(0, at)) / end) * plotWidth,
  };
}

function drawLane({ name, marks }, top, { left, right }) {
  return s(
    'g',
    { transform: `translate(0 ${top})` },
    s('line', { x1: left, y1: LANE_HEIGHT, x2: right, y2: LANE_HEIGHT, class: 'lane' }),
    s('text', { x: 0, y: LANE_HEIGHT / 2 + 4, class: 'lane-name' }, name),
    ...marks.map((mark) => mark(LANE_HEIGHT / 2)),
  );
}

const description = (report) =>
  `From ${report.fromNode || 'an unknown node'} to ${report.toNode || 'an unknown node'}: noticed after ${ms(
    report.detectedAfterMs,
  )}, ${report.attempts.length} attempts, connected after ${ms(upMs(report))}, served after ${ms(totalMs(report))}.`;
