/** The way of a page's connection, drawn: pages → balancer → gateways → apps, with what each is like now. */
import { s, setText } from './dom.js';
import { APP_STATES, known, MOVING, plural, STATUSES } from './words.js';

/** Boxes as [x, y, width, height] in the unit of the drawing, which is about a CSS pixel at the usual sizes. */
const WIDE = {
  size: [760, 212],
  across: true,
  pages: [0, 58, 136, 96],
  balancer: [206, 58, 136, 96],
  gateway: { a: [412, 8, 150, 84], b: [412, 120, 150, 84] },
  app: { a: [626, 8, 134, 84], b: [626, 120, 134, 84] },
};
const NARROW = {
  size: [330, 378],
  across: false,
  pages: [85, 0, 160, 82],
  balancer: [85, 112, 160, 66],
  gateway: { a: [0, 214, 156, 66], b: [174, 214, 156, 66] },
  app: { a: [0, 312, 156, 66], b: [174, 312, 156, 66] },
};

const narrow = matchMedia('(max-width: 620px)');
const MAX_DOTS = 16;

export function clusterMap(root) {
  let last;
  let drawing;

  function draw() {
    drawing = mapDrawing(narrow.matches ? NARROW : WIDE);
    root.replaceChildren(drawing.svg);
    if (last !== undefined) drawing.update(last);
  }
  narrow.addEventListener('change', draw);
  draw();

  return {
    update(state) {
      last = state;
      drawing.update(state);
    },
  };
}

function mapDrawing(layout) {
  const pages = box(layout.pages, 'Pages', { shift: -12 });
  const dots = s('g', { class: 'dots' });
  pages.node.append(dots);
  const balancer = box(layout.balancer, 'Balancer');
  const toBalancer = edge(layout, layout.pages, layout.balancer);

  const ways = Object.fromEntries(
    ['a', 'b'].map((id) => [
      id,
      {
        gateway: box(layout.gateway[id], `Gateway ${id}`, { mark: id }),
        app: box(layout.app[id], `App ${id}`, { mark: id }),
        toGateway: edge(layout, layout.balancer, layout.gateway[id]),
        toApp: edge(layout, layout.gateway[id], layout.app[id]),
      },
    ]),
  );
  const all = Object.values(ways);
  const svg = s(
    'svg',
    { viewBox: `0 0 ${layout.size.join(' ')}`, role: 'img' },
    toBalancer.node,
    ...all.flatMap(({ toGateway, toApp }) => [toGateway.node, toApp.node]),
    pages.node,
    balancer.node,
    ...all.flatMap(({ gateway, app }) => [gateway.node, app.node]),
  );

  return {
    svg,
    update({ nodes, clients, health, rttMs }) {
      pages.set(clients.length === 0 ? 'none open' : `${clients.length} open`, '');
      pages.node.dataset.empty = String(clients.length === 0);
      dots.replaceChildren(...clientDots(clients, layout.pages));
      toBalancer.set(clients.length > 0 ? 'live' : 'idle', rttMs > 0 ? `${rttMs} ms` : '');
      balancer.set(`asks the ${health}`, '');
      for (const node of nodes) {
        const way = ways[node.id];
        if (way === undefined) continue;
        const { label, tone } = known(APP_STATES, node.app);
        const cut = node.network !== 'ok';
        const standbys = clients.filter(({ standby }) => standby === node.id).length;
        way.app.set(node.app === 'running' ? load(node.clients, standbys) : label.toLowerCase(), tone);
        way.toApp.set(...appEdge(node, standbys));
        way.gateway.set(...gatewayState(node));
        way.toGateway.set(
          cut
            ? 'dead'
            : node.health === 'ejected'
              ? 'out'
              : traffic(node.flows > 0 && node.clients > 0, standbys),
          cut ? 'vanish' : String(node.flows),
        );
      }
      svg.setAttribute('aria-label', description({ nodes, clients }));
    },
  };
}

function gatewayState({ network, health, app }) {
  if (network !== 'ok') return ['black-holed', 'bad'];
  if (health === 'ejected') return ['ejected', 'slow'];
  if (app === 'stopped') return ['healthy, answers 502', 'slow'];
  if (app === 'hung') return ['healthy, app silent', 'slow'];
  return ['healthy', 'good'];
}

function appEdge({ app, clients }, standbys) {
  if (app === 'stopped') return ['dead', '502'];
  if (app === 'hung') return ['dead', 'silent'];
  if (app === 'draining') return ['out', ''];
  return [traffic(clients > 0, standbys), ''];
}

const traffic = (busy, standbys) => (busy ? 'live' : standbys > 0 ? 'standby' : 'idle');

function load(pages, standbys) {
  if (standbys === 0) return `running · ${plural(pages, 'page')}`;
  return `${plural(pages, 'page')} · ${plural(standbys, 'standby', 'standbys')}`;
}

const description = ({ nodes, clients }) =>
  `${plural(clients.length, 'page')}. ${nodes
    .map(
      (node) =>
        `Node ${node.id}: app ${node.app}, network ${node.network}, ${node.health} in the balancer, ${plural(node.flows, 'connection')}.`,
    )
    .join(' ')}`;

/** @param shift moves the two lines of text, to make room for something else in the box */
function box([x, y, width, height], title, { mark, shift = 0 } = {}) {
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

function edge({ across }, from, to) {
  const [x1, y1, x2, y2] = across
    ? [from[0] + from[2], from[1] + from[3] / 2, to[0], to[1] + to[3] / 2]
    : [from[0] + from[2] / 2, from[1] + from[3], to[0] + to[2] / 2, to[1]];
  const d = across
    ? `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`
    : `M${x1} ${y1}C${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2} ${x2} ${y2}`;
  const text = s('text', { class: 'edge-text' });
  const plate = s('rect', { class: 'edge-plate', height: 18, rx: 9, y: -9 });
  const node = s(
    'g',
    { class: 'edge' },
    s('path', { d, class: 'edge-line' }),
    s('path', { d, class: 'edge-flow' }),
    s('g', { transform: `translate(${(x1 + x2) / 2} ${(y1 + y2) / 2})` }, plate, text),
  );
  return {
    node,
    set(state, label) {
      node.dataset.state = state;
      setText(text, label);
      const width = label === '' ? 0 : label.length * 7 + 12;
      plate.setAttribute('width', String(width));
      plate.setAttribute('x', String(-width / 2));
    },
  };
}

function clientDots(clients, [, , width, height]) {
  const shown = clients.slice(0, MAX_DOTS);
  const columns = Math.min(8, shown.length);
  return shown.map((client, i) => {
    const { label, tone } = client.leaving ? MOVING : known(STATUSES, client.status);
    const at = {
      cx: width / 2 + ((i % 8) - (columns - 1) / 2) * 15,
      cy: height / 2 + 18 + Math.floor(i / 8) * 14,
    };
    const node = client.node === undefined ? '' : ` on ${client.node}`;
    const standby = client.standby === undefined ? '' : `, standby ${client.standby}`;
    return s(
      'g',
      {},
      s('title', {}, `${label}${node}${standby}`),
      s('circle', { ...at, r: 4, class: 'dot', 'data-node': client.node ?? '', 'data-tone': tone }),
      // A ring in the colour of the node it would go to.
      standby === '' ? undefined : s('circle', { ...at, r: 6.5, class: 'ring', 'data-node': client.standby }),
    );
  });
}
