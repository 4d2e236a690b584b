/** The figures of a failover as a table: every step, when it happened, how long it took, and its outcome. */
import { h } from './dom.js';
import { ms } from './format.js';
import { upMs, totalMs } from './report.js';
import { causeText, outcome, probeText } from './words.js';

export function figuresTable(report) {
  const head = ['Step', 'At', 'Took', 'Outcome'].map((name) => h('th', { scope: 'col' }, name));
  const rows = figures(report).map(([step, at, took, result]) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, step),
      h('td', { class: 'figure' }, at),
      h('td', { class: 'figure' }, took),
      h('td', {}, result),
    ),
  );
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Figures of this failover' },
    h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows)),
  );
}

/** Rows of `[step, at, took, outcome]`; times count from the last sign of life. */
function figures(report) {
  const { detectedAfterMs, gapMs } = report;
  const since = (instant) => ms(instant - report.startedAt + detectedAfterMs);
  return [
    ...(detectedAfterMs < 1 ? [] : [['Last sign of life', ms(0), '', '']]),
    [report.cause === 'drain' ? 'Announced' : 'Noticed', ms(detectedAfterMs), '', causeText(report.cause)],
    ...report.attempts.map((attempt, i) => [
      `Attempt ${i + 1}`,
      since(attempt.startedAt),
      ms(attempt.durationMs),
      attemptText(attempt),
    ]),
    ...report.probes.map((probe) => [
      'Probe',
      since(probe.startedAt),
      ms(probe.durationMs),
      probeText(probe),
    ]),
    ['Connected', ms(upMs(report)), '', ''],
    ['Served', ms(totalMs(report)), ms(report.replayMs), servedText(report)],
    ...(gapMs === undefined
      ? []
      : [['Without connection', '', ms(gapMs), gapMs === 0 ? 'never: handed over' : '']]),
  ];
}

function attemptText({ outcome: name, standby, waitedMs }) {
  const { label } = outcome(name, standby);
  return waitedMs >= 1 ? `${label}, after a wait of ${ms(waitedMs)}` : label;
}

const servedText = ({ replayed, queuedFlushed, unconfirmedSends }) =>
  [
    `${replayed} replayed`,
    `${queuedFlushed} sent from the queue`,
    unconfirmedSends > 0 && `${unconfirmedSends} unconfirmed`,
  ]
    .filter(Boolean)
    .join(', ');
