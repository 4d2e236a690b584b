/** The failovers, newest first: each a title, a timeline and its figures as a table. */
import { $, h, s, setText, sync } from './dom.js';
import { drawTimeline } from './timeline.js';
import {
  CAUSES,
  helper,
  ms,
  outcome,
  plural,
  probeText,
  readReport,
  seamless,
  shortId,
  TONES,
  totalMs,
} from './words.js';

/** So many are shown at first: about a screen. */
const FIRST = 6;

export function failoverList(root, todoApp) {
  const items = new Map();
  let all = false;
  let last = [];

  const empty = h(
    'div',
    { class: 'first-steps' },
    h('p', {}, 'No failover yet. To see one:'),
    h(
      'ol',
      {},
      h(
        'li',
        {},
        h('a', { href: todoApp, target: '_blank', rel: 'noopener' }, 'Open the todo app'),
        ' beside this page.',
      ),
      h('li', {}, 'Stop the node that serves it: the app says which one, and so does “Open pages” here.'),
      h('li', {}, 'What the page went through is drawn here a moment later.'),
    ),
  );
  const list = h('div', { class: 'failover-list' });
  root.append(empty, list);
  const legend = Object.fromEntries(
    [
      ['silence', 'silent'],
      ['kept', 'kept, in case it answers'],
      ['serving', 'old link serves'],
      ['wait', 'pause before a dial'],
      ...Object.entries(TONES),
      ['probe', 'probe'],
      ['replay', 'replay'],
    ].map(([tone, label]) => [
      tone,
      h(
        'li',
        {},
        s('svg', { class: 'swatch', viewBox: '0 0 14 10', 'aria-hidden': 'true' }, swatch(tone)),
        label,
      ),
    ]),
  );
  $('legend').append(...Object.values(legend));
  $('more').addEventListener('click', () => {
    all = !all;
    paint();
  });

  // A timeline is drawn in pixels, so that its text keeps its size: another width is another drawing.
  new ResizeObserver(() => {
    for (const { redraw } of items.values()) redraw();
  }).observe(list);

  function paint() {
    empty.hidden = last.length > 0;
    $('legend').hidden = last.length === 0;
    setText($('failovers-number'), last.length === 0 ? '' : String(last.length));
    summary(last);
    const shown = all ? last : last.slice(0, FIRST);
    $('more').hidden = last.length <= FIRST;
    setText($('more'), all ? 'Show fewer' : `Show all ${last.length}`);
    sync(
      list,
      items,
      shown.map((entry) => [`${entry.clientId} ${entry.at}`, entry]),
      (_, entry) => item(entry),
    );
    for (const { drawn, redraw } of items.values()) if (!drawn()) redraw();
    const used = new Set(shown.flatMap(({ report }) => colours(report)));
    for (const [tone, item] of Object.entries(legend)) item.hidden = !used.has(tone);
  }

  return {
    update({ failovers }) {
      last = failovers
        .map((entry) => ({ ...entry, report: readReport(entry.report) }))
        .sort((x, y) => y.at - x.at);
      paint();
    },
  };
}

/** What of the legend a timeline uses. */
function colours(report) {
  const by = helper(report);
  return [
    report.detectedAfterMs >= 1 && 'silence',
    report.cause === 'silent' && report.gapMs === 0 && 'kept',
    by === 'handover' && 'serving',
    report.attempts.some(({ waitedMs }) => waitedMs >= 1) && 'wait',
    ...report.attempts.map((attempt) => outcome(attempt.outcome, attempt.standby).tone),
    report.probes.length > 0 && 'probe',
    report.replayMs > 0 && 'replay',
  ];
}

const swatch = (tone) =>
  tone === 'wait'
    ? s('line', { x1: 0, y1: 5, x2: 14, y2: 5, class: 'wait' })
    : s('rect', {
        width: 14,
        height: 10,
        rx: 2.5,
        class: tone in TONES ? `bar ${tone}` : tone,
      });

function summary(failovers) {
  const reports = failovers.map(({ report }) => report);
  const totals = reports
    .filter((report) => !seamless(report))
    .map(totalMs)
    .sort((x, y) => x - y);
  const moved = reports.length - totals.length;
  $('failovers-summary').hidden = reports.length < 2;
  const median = totals[Math.floor((totals.length - 1) / 2)];
  const served =
    median === undefined
      ? ''
      : `Served again after ${ms(median)} in the median, ${ms(totals.at(-1))} at most. `;
  setText($('failovers-summary'), `${served}${moved === 0 ? '' : `${plural(moved, 'move')} without a gap.`}`);
}

const HELPERS = {
  handover: ['without a gap', 'The old connection served until the replacement was replayed'],
  standby: ['standby promoted', 'A second connection was open already: no dial was needed'],
  hedge: [
    'hedged',
    'The replacement was dialled while the silent connection was kept, and took over when it answered',
  ],
};

function item({ clientId, at, report }) {
  const time = new Date(at);
  const drawing = h('div', { class: 'timeline' });
  const { fromNode, toNode } = report;
  const by = helper(report);
  const whole = seamless(report);
  // Served in the end, it needs no advice where the probe found nothing wrong; the figures have all of it.
  const last = report.probes.at(-1);
  const lastProbe = last?.verdict === 'healthy' ? { ...last, advice: '' } : last;
  const table = h('div', { hidden: 'hidden' });
  const toggle = h('button', { type: 'button', class: 'figures', 'aria-expanded': 'false' }, 'Figures');
  toggle.addEventListener('click', () => {
    if (table.firstChild === null) table.append(figures(report));
    table.hidden = !table.hidden;
    toggle.setAttribute('aria-expanded', String(!table.hidden));
  });
  const head = h(
    'header',
    { class: 'failover-head' },
    h(
      'h3',
      { class: 'failover-title' },
      h('span', { class: 'mark', 'data-node': fromNode }, fromNode || '?'),
      h('span', { class: 'arrow' }, '→'),
      h('span', { class: 'mark', 'data-node': toNode }, toNode || '?'),
      h('span', { class: 'cause' }, CAUSES[report.cause] ?? report.cause),
      by && h('span', { class: `tag ${by}`, title: HELPERS[by][1] }, HELPERS[by][0]),
    ),
    h(
      'p',
      { class: 'failover-sub' },
      h('time', { datetime: time.toISOString() }, time.toLocaleTimeString()),
      ` · page ${shortId(clientId)} · ${plural(report.attempts.length, 'attempt')}`,
      lastProbe && ` · probe ${probeText(lastProbe)}`,
    ),
    toggle,
    h(
      'strong',
      whole
        ? { class: 'total whole', title: `Moved within ${ms(totalMs(report))}; never without a connection` }
        : { class: 'total', title: 'From the last sign of life to everything replayed' },
      whole ? 'no gap' : ms(totalMs(report)),
    ),
  );

  return {
    node: h('article', { class: 'failover' }, head, drawing, table),
    drawn: () => drawing.firstChild !== null,
    redraw() {
      if (drawing.clientWidth > 0) drawing.replaceChildren(drawTimeline(report, drawing.clientWidth));
    },
  };
}

function figures(report) {
  const start = report.startedAt - report.detectedAfterMs;
  const after = (instant) => ms(instant - start);
  const rows = [
    ...(report.detectedAfterMs < 1 ? [] : [['Last sign of life', ms(0), '', '']]),
    [
      report.cause === 'drain' ? 'Announced' : 'Noticed',
      ms(report.detectedAfterMs),
      '',
      CAUSES[report.cause] ?? report.cause,
    ],
    ...report.attempts.map((attempt, i) => [
      `Attempt ${i + 1}`,
      after(attempt.startedAt),
      ms(attempt.durationMs),
      `${outcome(attempt.outcome, attempt.standby).label}${attempt.waitedMs >= 1 ? `, waited ${ms(attempt.waitedMs)} before` : ''}`,
    ]),
    ...report.probes.map((probe) => [
      'Probe',
      after(probe.startedAt),
      ms(probe.durationMs),
      probeText(probe),
    ]),
    ['Replacement up', ms(report.detectedAfterMs + report.upAfterMs), '', ''],
    [
      'Served',
      ms(totalMs(report)),
      ms(report.replayMs),
      [
        `${report.replayed} replayed`,
        `${report.queuedFlushed} queued sent`,
        report.unconfirmedSends > 0 && `${report.unconfirmedSends} unconfirmed`,
      ]
        .filter(Boolean)
        .join(', '),
    ],
    ...(report.gapMs === undefined
      ? []
      : [['Without connection', '', ms(report.gapMs), report.gapMs === 0 ? 'none: handed over' : '']]),
  ];
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Figures of this failover' },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h('tr', {}, ...['Step', 'At', 'Took', 'Outcome'].map((name) => h('th', { scope: 'col' }, name))),
      ),
      h(
        'tbody',
        {},
        ...rows.map(([step, at, took, what]) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, step),
            h('td', { class: 'figure' }, at),
            h('td', { class: 'figure' }, took),
            h('td', {}, what),
          ),
        ),
      ),
    ),
  );
}
