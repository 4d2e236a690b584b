/** One card per node: its state, and a button for each fault. */
import { h, post, setText, sync } from './dom.js';
import { FAULTS, isBroken } from './faults.js';
import { APP_STATES, known } from './words.js';

/**
 * @param root gets the cards
 * @param explanations a list that gets a sentence for each button
 */
export function nodeCards(root, explanations) {
  const cards = new Map();
  explanations.append(...FAULTS.flatMap(({ label, does }) => [h('dt', {}, label), h('dd', {}, does)]));
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
    busy === undefined ? fault.refuse(node) : 'The last order is still running. Wait a moment.';

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
      // Not `disabled`: keyboard and touch users must be able to reach the button and read the reason.
      button.setAttribute('aria-disabled', String(reason !== undefined));
      button.title = reason ?? fault.does;
      button.setAttribute('aria-busy', String(busy === fault.name));
    }
    buttons.at(-1).button.classList.toggle('primary', isBroken(node) && busy === undefined);
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
      { class: 'faults', role: 'group', 'aria-label': `Faults for node ${id}` },
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
