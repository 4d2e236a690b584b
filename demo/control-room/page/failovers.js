/** The list of failovers, newest first, with a summary and a legend. */
import { $, h, setText, sync } from './dom.js';
import { failoverItem } from './failover.js';
import { ms, plural } from './format.js';
import { timelineLegend } from './legend.js';
import { isSeamless, readReport, totalMs } from './report.js';

/** How many are shown at first: about a screen. */
const SHOWN_AT_FIRST = 6;

export function failoverList(root, todoApp) {
  const items = new Map();
  let showAll = false;
  let failovers = [];

  const empty = firstSteps(todoApp);
  const list = h('div', { class: 'failover-list' });
  root.append(empty, list);
  const legend = timelineLegend($('legend'));
  $('more').addEventListener('click', () => {
    showAll = !showAll;
    paint();
  });

  // Timelines are drawn in pixels, so that their text keeps its size. A new width needs a new drawing.
  new ResizeObserver(() => {
    for (const { redraw } of items.values()) redraw();
  }).observe(list);

  function paint() {
    const { length } = failovers;
    empty.hidden = length > 0;
    setText($('failovers-number'), length === 0 ? '' : String(length));
    $('failovers-summary').hidden = length < 2;
    setText($('failovers-summary'), summary(failovers));
    const shown = showAll ? failovers : failovers.slice(0, SHOWN_AT_FIRST);
    $('more').hidden = length <= SHOWN_AT_FIRST;
    setText($('more'), showAll ? 'Show fewer' : `Show all ${length}`);
    sync(
      list,
      items,
      shown.map((entry) => [`${entry.clientId} ${entry.at}`, entry]),
      (_, entry) => failoverItem(entry),
    );
    for (const { isDrawn, redraw } of items.values()) if (!isDrawn()) redraw();
    legend.update(shown.map(({ report }) => report));
  }

  return {
    update(state) {
      failovers = state.failovers
        .map((entry) => ({ ...entry, report: readReport(entry.report) }))
        .sort((x, y) => y.at - x.at);
      paint();
    },
  };
}

/** What to do while there is no failover to show. */
function firstSteps(todoApp) {
  const link = h('a', { href: todoApp, target: '_blank', rel: 'noopener' }, 'Open the todo app');
  return h(
    'div',
    { class: 'first-steps' },
    h('p', {}, 'No failover yet. To see one:'),
    h(
      'ol',
      {},
      h('li', {}, link, ' in a window beside this one.'),
      h('li', {}, 'Stop the node that serves it. The app names its node, and so does “Open pages” here.'),
      h('li', {}, 'A moment later this list shows what the page went through.'),
    ),
  );
}

function summary(failovers) {
  const reports = failovers.map(({ report }) => report);
  const totals = reports
    .filter((report) => !isSeamless(report))
    .map(totalMs)
    .sort((x, y) => x - y);
  const seamless = reports.length - totals.length;
  const median = totals[Math.floor((totals.length - 1) / 2)];
  return [
    median !== undefined && `Served again after ${ms(median)} (median), ${ms(totals.at(-1))} at most.`,
    seamless > 0 && `${plural(seamless, 'move')} without a gap.`,
  ]
    .filter(Boolean)
    .join(' ');
}
