/** The shapes of the map: boxes, the edges between them, and a dot for each page. */
import { s, setText } from './dom.js';
import { pageState } from './words.js';

/** How many pages are drawn as dots; the number beside them counts all. */
const MAX_DOTS = 16;
const DOTS_PER_ROW = 8;

/**
 * A box with a title and a state below it.
 *
 * @param mark the node whose colour it carries
 * @param shift moves both lines of text, to make room for something else in the box
 */
export function box([x, y, width, height], title, { mark, shift = 0 } = {}) {
  const text = s('text', { x: width / 2, y: height / 2 + 14 + shift, class: 'box-state' });
  const name = s('text', { x: width / 2, y: height / 2 - 5 + shift, class: 'box-title' }, title);
  const node = s(
    'g',
    { transform: `translate(${x} ${y})`, class: 'box' },
    s('rect', { width, height, rx: 12, class: 'box-frame' }),
    mark === undefined ? undefined : s('circle', { cx: 15, cy: 15, r: 5, class: `box-mark ${mark}` }),
    name,
    text,
  );
  return {
    node,
    set(state, tone) {
      setText(text, state);
      node.dataset.tone = tone;
    },
  };
}

/** A line between two boxes, with a label at its middle. */
export function edge({ across }, from, to) {
  const [x1, y1, x2, y2] = across
    ? [from[0] + from[2], from[1] + from[3] / 2, to[0], to[1] + to[3] / 2]
    : [from[0] + from[2] / 2, from[1] + from[3], to[0] + to[2] / 2, to[1]];
  const d = across
    ? `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`
    : `M${x1} ${y1}C${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2} ${x2} ${y2}`;
  const text = s('text', { class: 'edge-text' });
  const tooltip = s('title', {});
  const plate = s('rect', { class: 'edge-plate', height: 18, rx: 9, y: -9 });
  const node = s(
    'g',
    { class: 'edge' },
    tooltip,
    s('path', { d, class: 'edge-line' }),
    s('path', { d, class: 'edge-flow' }),
    s('g', { transform: `translate(${(x1 + x2) / 2} ${(y1 + y2) / 2})` }, plate, text),
  );
  return {
    node,
    set(state, label, title = '') {
      node.dataset.state = state;
      setText(text, label);
      setText(tooltip, title);
      const width = label === '' ? 0 : label.length * 7 + 12;
      plate.setAttribute('width', String(width));
      plate.setAttribute('x', String(-width / 2));
    },
  };
}

/** The dots of the pages box, in the colour of the node that serves each page. */
export function pageDots(clients, [, , width, height]) {
  const shown = clients.slice(0, MAX_DOTS);
  const columns = Math.min(DOTS_PER_ROW, shown.length);
  return shown.map((client, i) => {
    const { label, tone } = pageState(client);
    const at = {
      cx: width / 2 + ((i % DOTS_PER_ROW) - (columns - 1) / 2) * 15,
      cy: height / 2 + 18 + Math.floor(i / DOTS_PER_ROW) * 14,
    };
    const node = client.node === undefined ? '' : ` on ${client.node}`;
    const standby = client.standby === undefined ? '' : `, standby ${client.standby}`;
    return s(
      'g',
      {},
      s('title', {}, `${label}${node}${standby}`),
      s('circle', { ...at, r: 4, class: 'dot', 'data-node': client.node ?? '', 'data-tone': tone }),
      // A ring in the colour of the node that its standby is connected to.
      standby === '' ? undefined : s('circle', { ...at, r: 6.5, class: 'ring', 'data-node': client.standby }),
    );
  });
}
