/** One failover: its title, its timeline, and its figures on demand. */
import { h } from './dom.js';
import { figuresTable } from './figures.js';
import { ms, plural, shortId } from './format.js';
import { helper, isSeamless, totalMs } from './report.js';
import { drawTimeline } from './timeline.js';
import { causeText, HELPERS, probeText } from './words.js';

export function failoverItem({ clientId, at, report }) {
  const drawing = h('div', { class: 'timeline' });
  const table = h('div', { hidden: 'hidden' });
  const head = h(
    'header',
    { class: 'failover-head' },
    title(report),
    subtitle(clientId, at, report),
    figuresToggle(report, table),
    total(report),
  );
  return {
    node: h('article', { class: 'failover' }, head, drawing, table),
    isDrawn: () => drawing.firstChild !== null,
    redraw() {
      if (drawing.clientWidth > 0) drawing.replaceChildren(drawTimeline(report, drawing.clientWidth));
    },
  };
}

function title(report) {
  const { fromNode, toNode } = report;
  const help = HELPERS[helper(report)];
  return h(
    'h3',
    { class: 'failover-title' },
    h('span', { class: 'mark', 'data-node': fromNode }, fromNode || '?'),
    h('span', { class: 'arrow' }, '→'),
    h('span', { class: 'mark', 'data-node': toNode }, toNode || '?'),
    h('span', { class: 'cause' }, causeText(report.cause)),
    help && h('span', { class: `tag ${helper(report)}`, title: help[1] }, help[0]),
  );
}

function subtitle(clientId, at, report) {
  const time = new Date(at);
  // A healthy probe needs no advice once the page is served; the figures have all of it.
  const last = report.probes.at(-1);
  const probe = last?.verdict === 'healthy' ? { ...last, advice: '' } : last;
  return h(
    'p',
    { class: 'failover-sub' },
    h('time', { datetime: time.toISOString() }, time.toLocaleTimeString()),
    ` · page ${shortId(clientId)} · ${plural(report.attempts.length, 'attempt')}`,
    probe && ` · probe ${probeText(probe)}`,
  );
}

function figuresToggle(report, table) {
  const toggle = h('button', { type: 'button', class: 'figures', 'aria-expanded': 'false' }, 'Figures');
  toggle.addEventListener('click', () => {
    if (table.firstChild === null) table.append(figuresTable(report));
    table.hidden = !table.hidden;
    toggle.setAttribute('aria-expanded', String(!table.hidden));
  });
  return toggle;
}

function total(report) {
  const time = ms(totalMs(report));
  return isSeamless(report)
    ? h('strong', { class: 'total whole', title: `Moved within ${time}, always connected` }, 'no gap')
    : h('strong', { class: 'total', title: 'From the last sign of life to everything replayed' }, time);
}
