/** The map: the way of a connection, pages → balancer → gateways → apps, and the present state of each. */
import { s } from './dom.js';
import { plural } from './format.js';
import { box, edge, pageDots } from './map-shapes.js';
import { APP_STATES, known } from './words.js';

/** Boxes as [x, y, width, height]. One unit of the drawing is about a CSS pixel. */
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
  const ways = Object.fromEntries(['a', 'b'].map((id) => [id, nodeWay(layout, id)]));
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
      dots.replaceChildren(...pageDots(clients, layout.pages));
      toBalancer.set(
        clients.length > 0 ? 'live' : 'idle',
        rttMs > 0 ? `${rttMs} ms` : '',
        `A round trip takes ${rttMs} ms more`,
      );
      balancer.set(`checks ${health}s`, '');
      for (const node of nodes) {
        const standbys = clients.filter(({ standby }) => standby === node.id).length;
        ways[node.id]?.update(node, standbys);
      }
      svg.setAttribute('aria-label', description({ nodes, clients }));
    },
  };
}

/** One node's part of the map: its gateway, its app, and the edges to them. */
function nodeWay(layout, id) {
  const gateway = box(layout.gateway[id], `Gateway ${id}`, { mark: id });
  const app = box(layout.app[id], `App ${id}`, { mark: id });
  const toGateway = edge(layout, layout.balancer, layout.gateway[id]);
  const toApp = edge(layout, layout.gateway[id], layout.app[id]);
  return {
    gateway,
    app,
    toGateway,
    toApp,
    update(node, standbys) {
      const { label, tone } = known(APP_STATES, node.app);
      app.set(node.app === 'running' ? load(node.clients, standbys) : label.toLowerCase(), tone);
      toApp.set(...appEdge(node, standbys));
      gateway.set(...gatewayState(node));
      toGateway.set(...gatewayEdge(node, standbys));
    },
  };
}

/** State, label and tooltip of the edge from the balancer to a gateway. */
function gatewayEdge({ network, health, flows, clients }, standbys) {
  if (network !== 'ok') return ['dead', 'vanish', 'Packets in both directions vanish'];
  const state = health === 'ejected' ? 'out' : traffic(flows > 0 && clients > 0, standbys);
  return [state, String(flows), plural(flows, 'connection')];
}

/** State and tone of a gateway's box. */
function gatewayState({ network, health, app }) {
  if (network !== 'ok') return ['black-holed', 'bad'];
  if (health === 'ejected') return ['ejected', 'slow'];
  if (app === 'stopped') return ['healthy, answers 502', 'slow'];
  if (app === 'hung') return ['healthy, app silent', 'slow'];
  return ['healthy', 'good'];
}

/** State, label and tooltip of the edge from a gateway to its app. */
function appEdge({ app, clients }, standbys) {
  if (app === 'stopped') return ['dead', '502', 'The gateway answers 502 Bad Gateway'];
  if (app === 'hung') return ['dead', 'silent', 'The app accepts requests and never answers'];
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
