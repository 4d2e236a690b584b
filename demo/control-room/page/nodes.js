/** One card per node: how it fares, and the faults it can be given. */
import { h, post, setText, sync } from './dom.js';
import { APP_STATES, known } from './words.js';

/**
 * The faults in the order of the buttons. `refuse(node)` says why one makes no sense now, or nothing.
 */
const FAULTS = [
  {
    name: 'stop',
    label: 'Stop',
    does: 'SIGTERM: the app exits at once, as Meteor does',
    refuse: ({ app }) =>
      app === 'hung'
        ? 'A hung process cannot act on SIGTERM. Kill or restart it.'
        : notRunning(app, 'stopped'),
  },
  {
    name: 'kill',
    label: 'Kill',
    does: 'SIGKILL: the app is gone without a word',
    refuse: ({ app }) => (app === 'stopped' ? 'The app is stopped already.' : starting(app)),
  },
  {
    name: 'hang',
    label: 'Hang',
    does: 'SIGSTOP: the app keeps its connections and says nothing more',
    refuse: ({ app }) => notRunning(app, 'hung'),
  },
  {
    name: 'blackhole',
    label: 'Black-hole',
    does: 'Packets to and from the node vanish',
    refuse: ({ network }) => (network === 'blackholed' ? 'The node is black-holed already.' : undefined),
  },
  {
    name: 'drain',
    label: 'Drain',
    does: 'The app announces its end, serves until its pages have moved, then exits',
    refuse: ({ app, network }) =>
      network === 'blackholed'
        ? 'Its announcement could not leave the black-holed node.'
        : notRunning(app, 'draining'),
  },
  {
    name: 'restart',
    label: 'Restart',
    does: 'Starts the app anew and repairs its network',
    refuse: ({ app }) => starting(app),
  },
];

const starting = (app) => (app === 'starting' ? 'The app is just starting.' : undefined);

function notRunning(app, wanted) {
  if (app === 'running') return undefined;
  if (app === wanted) return `The app is ${wanted} already.`;
  return app === 'starting' ? 'The app is just starting.' : `The app is ${app}. Restart it first.`;
}

const broken = ({ app, network }) => app === 'stopped' || app === 'hung' || network !== 'ok';

export function nodeCards(root) {
  const cards = new Map();
  return {
    update: ({ nodes }) =>
      sync(
        root,
        cards,
        nodes.map((node) => [node.id, node]),
        card,
      ),
  };
}

function card(id) {
  let node;
  let busy;

  const state = h('span', { class: 'chip' });
  const facts = Object.fromEntries(
    ['network', 'health', 'clients', 'flows', 'process'].map((name) => [
      name,
      h('dd', { 'data-testid': `${name}-${id}` }),
    ]),
  );
  const problem = h('p', { class: 'problem', role: 'alert', id: `problem-${id}` });
  const buttons = FAULTS.map((fault) => {
    const button = h(
      'button',
      { type: 'button', class: 'fault', 'data-testid': `${fault.name}-${id}` },
      fault.label,
    );
    button.addEventListener('click', () => apply(fault));
    return { fault, button };
  });

  async function apply(fault) {
    const reason = refusal(fault);
    problem.textContent = reason ?? '';
    if (reason !== undefined) return;
    busy = fault.name;
    paint();
    try {
      await post(`/api/nodes/${id}/${fault.name}`);
    } catch (error) {
      problem.textContent = `${fault.label} failed: ${error.message}`;
    }
    busy = undefined;
    paint();
  }

  const refusal = (fault) =>
    busy === undefined ? fault.refuse(node) : 'Wait until the last order is carried out.';

  function paint() {
    const { label, tone } = known(APP_STATES, node.app);
    setText(state, label);
    state.dataset.tone = tone;
    fact('network', node.network === 'ok' ? 'OK' : 'Black-holed', node.network === 'ok' ? '' : 'bad');
    fact(
      'health',
      node.health === 'healthy' ? 'Healthy' : 'Ejected',
      node.health === 'healthy' ? '' : 'slow',
    );
    fact('clients', String(node.clients));
    fact('flows', String(node.flows));
    fact('process', node.pid === undefined ? 'none' : `pid ${node.pid}`);
    for (const { fault, button } of buttons) {
      const reason = refusal(fault);
      // Not `disabled`: the reason must stay within reach of a keyboard and of a finger.
      button.setAttribute('aria-disabled', String(reason !== undefined));
      button.title = reason ?? fault.does;
      button.setAttribute('aria-busy', String(busy === fault.name));
    }
    buttons.at(-1).button.classList.toggle('primary', broken(node) && busy === undefined);
  }

  function fact(name, text, tone = '') {
    setText(facts[name], text);
    facts[name].dataset.tone = tone;
  }

  const row = (name, label) => h('div', {}, h('dt', {}, label), facts[name]);
  const element = h(
    'article',
    { class: `panel node node-${id}`, 'aria-label': `Node ${id}`, 'data-testid': `node-${id}` },
    h(
      'div',
      { class: 'node-head' },
      h('h2', {}, h('span', { class: 'mark', 'data-node': id }, id), `Node ${id}`),
      state,
    ),
    h(
      'dl',
      { class: 'facts' },
      row('clients', 'Pages served'),
      row('flows', 'Connections'),
      row('network', 'Network'),
      row('health', 'In the balancer'),
      row('process', 'App process'),
    ),
    h(
      'div',
      { class: 'faults', role: 'group', 'aria-label': `Orders for node ${id}` },
      ...buttons.map(({ button }) => button),
    ),
    problem,
  );

  return {
    node: element,
    update(next) {
      if (node !== undefined && (node.app !== next.app || node.network !== next.network))
        problem.textContent = '';
      node = next;
      paint();
    },
  };
}
